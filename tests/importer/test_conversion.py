"""From a checkpoint to a model: names, cards, overwriting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from tests.importer.checkpoints import bare, saved
from tests.test_networks import built

import hyperacuity
from hyperacuity import export, importer, zoo
from hyperacuity.errors import UsageError
from hyperacuity.networks import NETWORKS, build
from hyperacuity.zoo import Card


@pytest.mark.parametrize(("name", "scale", "channels"), [("FSRCNN_yjn870_x2", 2, "Y"), ("IMDN_x2", 2, "RGB")])
def test_an_imported_model_works(shared: Path, tmp_path: Path, name: str, scale: int, channels: str) -> None:
    card = importer.convert(shared / f"weights/{name}.pth", tmp_path, licence="MIT")
    assert (card.name, card.scale, card.channels) == (name, scale, channels)
    assert (card.licence, card.trained_on) == ("MIT", "unknown")
    assert card.paper.startswith("arXiv")
    assert card.halo > 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.safetensors", f"{name}.onnx"}
    y, x = np.mgrid[0:20, 0:24]
    picture = np.stack([x * 10, y * 12, (x + y) * 5], -1).astype(np.uint8)
    larger = hyperacuity.load(tmp_path / f"{name}.safetensors").array(picture, 2)
    assert larger.shape == (40, 48, 3)
    # A smooth picture stays itself.
    assert np.abs(larger.reshape(20, 2, 24, 2, 3).mean((1, 3)) - picture).mean() < 3


@pytest.mark.usefixtures("without_onnx")
@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_models_keep_their_card(name: str, tmp_path: Path) -> None:
    network, weights = bare(name)
    scale, channels = network.scale, network.channels
    card = Card(
        name=f"own-x{scale}",
        architecture=name,
        scale=scale,  # type: ignore[arg-type]
        channels="Y" if channels == 1 else "RGB",
        licence="CC0",
        trained_on="noise",
        paper="none",
        config=NETWORKS[name].small,
        quality={"Set5": 30.0},
    )
    path = tmp_path / "given.safetensors"
    path.write_bytes(safetensors.torch.save(weights, card.to_metadata()))
    made = importer.convert(path, tmp_path / "out", name=card.name, trained_on="images")
    assert (made.licence, made.trained_on, made.paper, made.quality) == ("CC0", "images", "none", {"Set5": 30.0})
    assert made.architecture == name
    stored = safetensors.torch.load_file(tmp_path / f"out/{card.name}.safetensors")
    again = build(name, made.config)
    again.load_state_dict(stored)


@pytest.mark.parametrize(
    ("name", "scale"),
    [("FSRCNN_x2", 2), ("4x-UltraSharp", 4), ("RealESRGAN_x4plus", 4), ("realesr-general-x4v3", 4), ("max2", None),
     ("x2_to_x4", None), ("net", None), ("size_512x512", None), ("a-x16", None)],
)  # fmt: skip
def test_scales_in_names(name: str, scale: int | None) -> None:
    assert importer.scale_in(name) == scale


@pytest.mark.usefixtures("without_onnx")
def test_the_name_gets_its_scale_once(tmp_path: Path) -> None:
    weights = built("espcn").state_dict()
    for stem, name in (("net", "net-x2"), ("net_x2", "net_x2"), ("2x-net", "2x-net"), ("net-x2plus", "net-x2plus")):
        assert importer.convert(saved(weights, tmp_path / f"{stem}.pth"), tmp_path / "out").name == name
    assert importer.convert(tmp_path / "net.pth", tmp_path / "out", name="mine").name == "mine-x2"
    assert zoo.open_model(tmp_path / "out/mine-x2.onnx").card.family == "mine"
    for bad in ("", "../out", "a/b", ".hidden", "bicubic"):
        with pytest.raises(UsageError, match="another name"):
            importer.convert(tmp_path / "net.pth", tmp_path / "out", name=bad)


@pytest.mark.usefixtures("without_onnx")
def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    path = saved(built("espcn").state_dict(), tmp_path / "net-x2.pth")
    (tmp_path / "net-x2.onnx").write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists"):
        importer.convert(path, tmp_path)
    assert (tmp_path / "net-x2.onnx").read_bytes() == b"precious"
    assert not (tmp_path / "net-x2.safetensors").exists()
    (tmp_path / "net-x2-int8.onnx").write_bytes(b"8 bits of other weights")
    importer.convert(path, tmp_path, force=True)
    assert (tmp_path / "net-x2.onnx").read_bytes() == b"onnx"
    assert zoo.open_model(tmp_path / "net-x2.onnx").int8 is None
    with pytest.raises(UsageError, match="itself"):
        importer.convert(tmp_path / "net-x2.safetensors", tmp_path, force=True)


def test_a_failing_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("no memory")

    monkeypatch.setattr(export, "to_onnx", fail)
    path = saved(built("espcn").state_dict(), tmp_path / "net-x2.pth")
    with pytest.raises(RuntimeError, match="no memory"):
        importer.convert(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    zoo_name = tmp_path / "net-x2-int8.onnx"
    zoo_name.write_bytes(b"of earlier weights")
    with pytest.raises(RuntimeError, match="no memory"):
        importer.convert(path, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"net-x2.pth", zoo_name.name}
