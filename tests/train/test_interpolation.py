from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from hyperacuity import export
from hyperacuity.errors import UsageError
from hyperacuity.export import measure_network, write_model
from hyperacuity.networks import build
from hyperacuity.train import interpolated
from hyperacuity.zoo import Card, open_model

CONFIG = {"d": 8, "s": 4, "m": 1}


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    paths = []
    for seed, name in enumerate(("faithful", "sharp")):
        torch.manual_seed(seed)
        network = build("fsrcnn", CONFIG)
        write_model(
            network, Card(name, "fsrcnn", 2, "Y", "MIT", name, "", CONFIG, **measure_network(network)), tmp_path
        )
        paths.append(str(tmp_path / f"{name}.safetensors"))
    return paths[0], paths[1]


@pytest.mark.usefixtures("onnx_export")
def test_weights_are_interpolated_linearly(two: tuple[str, str], tmp_path: Path) -> None:
    interpolated(*two, 0.25, tmp_path, name="mixed-x2")
    first, second, mixed = (
        safetensors.torch.load_file(path) for path in (*two, str(tmp_path / "mixed-x2.safetensors"))
    )
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * second[name])
    card = open_model(tmp_path / "mixed-x2.onnx").card
    assert "0.75 of faithful" in card.trained_on
    assert card.quality == card.ssim == {}


def test_models_that_cannot_be_interpolated_raise(two: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only models of one network can be interpolated"):
        interpolated(two[0], "fsrcnn-x2", 0.5, tmp_path, name="mixed")
    with pytest.raises(UsageError, match="alpha goes from 0"):
        interpolated(*two, 1.5, tmp_path, name="mixed")
    (tmp_path / "lonely.onnx").write_bytes(b"precious")
    for name in ("sharp", "lonely"):
        with pytest.raises(UsageError, match="exists"):
            interpolated(*two, 0.5, tmp_path, name=name)
    for name in ("../escaped", "a/b", ""):
        with pytest.raises(UsageError, match="another name"):
            interpolated(*two, 0.5, tmp_path, name=name)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="mixed cannot be written into"):
        interpolated(*two, 0.5, tmp_path / "file", name="mixed")


def test_an_interrupted_replacement_keeps_both_files_of_the_model(
    two: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {path: path.read_bytes() for path in tmp_path.glob("sharp.*")}

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "to_onnx", interrupted)
    with pytest.raises(KeyboardInterrupt):
        interpolated(*two, 0.5, tmp_path, name="sharp", force=True)
    assert {path: path.read_bytes() for path in tmp_path.glob("sharp.*")} == files
