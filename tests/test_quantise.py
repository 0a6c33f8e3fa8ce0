from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from hyperacuity import api, datasets, engines, export, metrics, networks, quantise, zoo
from hyperacuity.engines.onnx_runtime import OnnxRuntime
from hyperacuity.errors import LEAVE_OUT, Run, UsageError, Use
from hyperacuity.size import Size, StretchWarning
from hyperacuity.zoo import Card, Model
from tests.cli.process import run

PHOTO = Path(__file__).parents[1] / "examples" / "astronaut.png"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """The smallest model of the zoo, in a separate folder."""
    own = zoo.find_models("acute-3k-x2")[0]
    for path in (own.safetensors, own.onnx):
        assert path is not None
        shutil.copy(path, tmp_path)
    return zoo.open_model(tmp_path / "acute-3k-x2.safetensors")


def test_eight_bits_are_written_found_and_used(model: Model) -> None:
    path = quantise.write_int8(model, [PHOTO])
    assert path.name == "acute-3k-x2-int8.onnx"
    assert {file.name for file in path.parent.iterdir()} == {
        "acute-3k-x2.safetensors", "acute-3k-x2.onnx", path.name
    }  # fmt: skip
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert "QuantizeLinear" in kinds
    again = zoo.open_model(model.safetensors or Path())
    assert again.int8 == path
    small = engines.open(again, precision="int8")
    assert isinstance(small, OnnxRuntime)
    assert small.precision == "int8"
    full = engines.open(again, precision="fp32", engine="onnxruntime")
    lr = np.float32(1 / 255) * datasets.pair(datasets.luma(datasets.read_image(PHOTO)), 2).lr[None, None]
    difference = metrics.psnr(small.run(lr)[0, 0], full.run(lr)[0, 0], border=2, peak=1)
    assert 35 < difference < 70  # another network, and nearly the same
    np.testing.assert_array_equal(small.in_float32().run(lr), full.run(lr))
    alone = small.per_core()
    assert alone is not None
    assert alone.precision == "int8"


def test_a_comparison_tells_what_is_lost(model: Model) -> None:
    quantise.write_int8(model, [PHOTO])
    result = quantise.compare(zoo.open_model(model.safetensors or Path()), [PHOTO])
    assert 30 < result.int8 < result.fp32 < result.int8 + 0.5
    assert result.faster > 0


@pytest.mark.parametrize("architecture", ["srcnn", "edsr"])
def test_networks_on_colours_and_on_enlarged_pictures(tmp_path: Path, architecture: str) -> None:
    enlarged = (2,) if architecture == "srcnn" else ()
    config = {"blocks": 1, "width": 8} if architecture == "edsr" else {}
    network = networks.build(architecture, config)
    scale = 1 if enlarged else 2
    card = Card(
        "tiny",
        architecture,
        scale,
        "Y" if enlarged else "RGB",
        "",
        "",
        "",
        config,
        enlarged,
        **export.measure_network(network),
    )
    export.write_model(network, card, tmp_path)
    path = quantise.write_int8(zoo.open_model(tmp_path / "tiny.onnx"), [PHOTO])
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(path).graph.node}
    export.write_model(network, card, tmp_path)
    assert not path.exists()  # it was of the weights before


def test_sides_that_do_not_fit_the_network_are_compared_too(tmp_path: Path) -> None:
    config = {"scale": 2, "blocks": 1, "features": 4, "growth": 2}  # works on a quarter of the pixels
    network = networks.build("rrdb", config)
    card = Card("tiny-x2", "rrdb", 2, "RGB", "", "", "", config, **export.measure_network(network))
    export.write_model(network, card, tmp_path)
    quantise.write_int8(zoo.open_model(tmp_path / "tiny-x2.onnx"), [PHOTO])
    odd, least = tmp_path / "odd.png", tmp_path / "least.png"
    with pytest.warns(StretchWarning):
        api.load("bicubic").file(PHOTO, odd, Size(width=46, height=34))
    api.load("bicubic").file(PHOTO, least, Size(width=4, height=4))
    both = zoo.open_model(tmp_path / "tiny-x2.onnx")
    assert quantise.compare(both, [odd, least]).faster > 0
    with pytest.raises(UsageError, match="too small to be compared"):
        quantise.compare(both, [least])


def test_what_cannot_be_quantised_is_said(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no ONNX file"):
        quantise.write_int8(zoo.RESAMPLERS["bicubic"], [PHOTO])
    tiny = tmp_path / "tiny.png"
    api.load("bicubic").file(PHOTO, tiny, Size(width=100))
    with pytest.raises(UsageError, match="smaller than 192 pixels"):
        quantise.write_int8(model, [tiny])


def test_precision_int8_where_there_is_none(model: Model) -> None:
    with pytest.raises(UsageError, match="no 8-bit form") as caught:
        engines.open(model, precision="int8")
    assert caught.value.cures == (Use(precision=LEAVE_OUT), Run("quantise", model.safetensors))
    with pytest.raises(UsageError, match="8 bits are for ONNX Runtime") as caught:
        engines.open(model, precision="int8", engine="ncnn")
    assert caught.value.cures == (Use(engine=LEAVE_OUT), Use(precision=LEAVE_OUT))
    with pytest.raises(UsageError, match="int8 is for the CPU"):
        engines.open(model, precision="int8", device="cuda")


@pytest.mark.parametrize("name", [name for name, model in zoo.models().items() if model.int8 is not None])
def test_the_zoo_in_eight_bits_is_nearly_the_zoo(name: str) -> None:
    pixels = datasets.read_image(PHOTO)[::2, ::2]
    scale = zoo.find_models(name)[0].card.network_scale
    full, small = (api.load(name, precision=kind).array(pixels, scale) for kind in ("fp32", "int8"))
    assert metrics.psnr(small, full, border=0, peak=255) > 40


def test_quantise_as_a_person_meets_it(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(PHOTO, folder)
    path = str(model.safetensors)
    first = run("quantise", path, "--data", str(folder), folder=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "acute-3k-x2-int8.onnx" in first.stdout
    assert "in 8 bits" in first.stdout
    assert first.stderr == ""
    second = run("quantise", path, "--data", str(folder), folder=tmp_path)
    assert second.returncode == 1
    assert "add --force to overwrite it" in second.stderr
    result = tmp_path / "larger.png"
    done = run("upscale", str(PHOTO), "-o", str(result), "-m", path, "--precision", "int8", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert result.exists()
