"""ONNX files of other projects: what is found out about them, and that they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import engines, zoo
from hyperacuity.engines import probing
from hyperacuity.engines.foreign import ForeignNetwork
from hyperacuity.errors import HyperacuityError, HyperacuityWarning, UsageError, WeightsError
from tests.cli.process import run
from tests.foreign_onnx import write


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERACUITY_CACHE", str(tmp_path / "cache"))


def blurred(image: Any, kernel: int, scale: int) -> Any:
    """What `write`'s networks compute, on (C, H, W)."""
    pad = kernel // 2
    wide = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (kernel, kernel), (1, 2))
    return windows.mean((3, 4)).repeat(scale, 1).repeat(scale, 2)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"scale": 4, "batch": 1},
        {"scale": 3, "channels": 1},
        {"dtype": np.float16},
        {"layout": "NHWC"},
        {"layout": "NHWC", "white": 255.0},
        {"white": 255.0},
        {"dtype": np.uint8, "white": 255.0, "layout": "NHWC"},
        {"multiple": 4},
        {"kernel": 9},
        {"sides": (32, 48)},
        {"sides": (32, 32), "layout": "NHWC", "dtype": np.float16, "batch": 1},
        {"swapped": True},
        {"scale": 1},
    ],
    ids=str,
)
def test_they_run_whatever_their_form(form: dict[str, Any], tmp_path: Path) -> None:
    model = engines.open_file(write(tmp_path / "net.onnx", **form))
    card, kernel, scale = model.card, form.get("kernel", 5), form.get("scale", 2)
    channels = form.get("channels", 3)
    assert (card.scale, card.channel_count, card.halo) == (scale, channels, kernel // 2)
    assert card.multiple == form.get("multiple", 1)
    assert not card.whole
    engine = engines.open(model, device="cpu")
    assert isinstance(engine, ForeignNetwork)
    sides = tuple(card.multiple * n for n in (51, 70))
    image = np.random.default_rng(0).random((1, channels, *sides), np.float32)
    result = engine.run(image)
    rough = 0.51 / 255 * 2 if form.get("white") else 2e-3 if form.get("dtype") is np.float16 else 1e-5
    np.testing.assert_allclose(result[0], blurred(image[0], kernel, scale), atol=rough)
    small = engine.run(image[:, :, : card.multiple, : card.multiple])
    assert small.shape == (1, channels, card.multiple * scale, card.multiple * scale)


def test_upscaling_by_one_is_tiled_without_seams(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", multiple=2, kernel=7)
    image = np.random.default_rng(0).random((61, 83, 3), np.float32)
    whole, tiled = (hyperacuity.upscale(image, 2, model=path, tile=tile) for tile in (0, 24))
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    assert hyperacuity.upscale(image, 3.5, model=str(path)).shape == (214, 291, 3)


def test_the_command_takes_them_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / "net.onnx", dtype=np.float16, layout="NHWC", sides=(16, 24))
    PIL.Image.new("RGB", (30, 21), "teal").save(tmp_path / "a.png")
    result = run("upscale", "-m", "net.onnx", "--scale", "4", "a.png", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(tmp_path / "a-x4.png") as larger:
        assert larger.size == (120, 84)
        assert larger.getpixel((60, 42)) == (0, 128, 128)


def test_what_was_found_out_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "net.onnx")
    card = engines.open_file(path).card
    monkeypatch.setattr(probing, "probe", lambda path: pytest.fail("probed again"))
    assert engines.open_file(path).card == card
    assert card.name == "net"
    assert card.licence == "unknown"


def test_a_network_that_sees_everything_says_so(tmp_path: Path) -> None:
    card = engines.open_file(write(tmp_path / "net.onnx", whole=True)).card
    assert card.whole
    assert card.halo <= 64
    assert card.activation_bytes < 20_000


def test_a_small_fixed_size_warns_of_seams(tmp_path: Path) -> None:
    model = engines.open_file(write(tmp_path / "net.onnx", sides=(16, 16), kernel=11))
    with pytest.warns(HyperacuityWarning, match="takes images of 16x16 only"):
        engines.open(model)


def test_our_own_file_without_its_weights_still_runs(tmp_path: Path) -> None:
    own = zoo.models()["fsrcnn-x2"]
    assert own.onnx is not None
    (tmp_path / "copy.onnx").write_bytes(own.onnx.read_bytes())
    card = engines.open_file(tmp_path / "copy.onnx").card
    assert (card.name, card.architecture, card.licence) == ("fsrcnn-x2", "fsrcnn", own.card.licence)
    image = np.random.default_rng(0).random((1, 1, 20, 30), np.float32)
    ours, theirs = (
        engines.open(m, device="cpu", engine="onnxruntime").run(image)
        for m in (own, engines.open_file(tmp_path / "copy.onnx"))
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["fsrcnn-x3", "acute-10k-x2"])
def test_probing_finds_what_our_own_cards_say(name: str, tmp_path: Path) -> None:
    own = zoo.models()[name]
    assert own.onnx is not None
    model = onnx.load(own.onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "theirs.onnx")
    card = engines.open_file(tmp_path / "theirs.onnx").card
    assert card.architecture == "onnx"
    assert (card.scale, card.channels, card.multiple) == (own.card.scale, own.card.channels, own.card.multiple)
    assert card.halo == own.card.halo
    assert not card.whole
    assert (card.config["gain"], card.config["output_gain"]) == (1.0, 1.0)


def two_inputs(path: Path) -> None:
    model = onnx.load(write(path))
    model.graph.input.append(onnx.helper.make_tensor_value_info("noise", 1, [1]))
    onnx.save(model, path)


def external(path: Path) -> None:
    model = onnx.load(write(path, kernel=31))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (path.parent / "weights.bin").unlink()


def flat(path: Path) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, 1, [1, 10]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)


def inverted(path: Path) -> None:
    node = [onnx.helper.make_node("Mul", ["x", "k"], ["a"]), onnx.helper.make_node("Sin", ["a"], ["y"])]
    values = [onnx.helper.make_tensor_value_info(name, 1, [1, 3, None, None]) for name in "xy"]
    constant = onnx.numpy_helper.from_array(np.array(-1e4, np.float32), "k")
    graph = onnx.helper.make_graph(node, "g", values[:1], values[1:], [constant])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_inputs, r"has 2 inputs \(picture, noise\)"),
        (external, "keeps its weights in a second file"),
        (flat, "2 axes"),
        (inverted, "does not enlarge images"),
        (lambda path: path.write_bytes(b"no model"), "ONNX Runtime cannot load"),
        (lambda path: path.write_bytes(b""), "ONNX Runtime cannot load"),
        (lambda path: write(path, channels=4), "neither grey nor RGB"),
        (lambda path: write(path, batch=8), "8 images at once"),
    ],
)
def test_others_are_refused_with_a_reason(make: Any, message: str, tmp_path: Path) -> None:
    make(tmp_path / "net.onnx")
    with pytest.raises(WeightsError, match=message):
        engines.open_file(tmp_path / "net.onnx")


def test_other_engines_do_not_run_them(tmp_path: Path) -> None:
    model = engines.open_file(write(tmp_path / "net.onnx"))
    for engine in ("openvino", "pytorch", "ncnn"):
        with pytest.raises(UsageError, match="ONNX file of another project"):
            engines.open(model, engine=engine)
    with pytest.raises(HyperacuityError):
        engines.open(model, precision="int8")
