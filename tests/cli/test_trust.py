"""`upscale --faithful`, `--error-map`, `--report` and `calibrate`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from hyperacuity.cli import _add, app
from hyperacuity.errors import UsageError

_add([])


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    y, x = np.mgrid[:96, :120]
    levels = (128 + 90 * np.sin(x / 7) * np.cos(y / 5)).astype(np.uint8)
    PIL.Image.fromarray(np.stack([levels, levels // 2, levels], -1)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_calibration_is_written_and_used(photo: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    photo.rename(images / "photo.png")
    written = tmp_path / "mine.json"
    arguments = ["calibrate", "bicubic", "--data", str(images), "-o", str(written)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(written.read_text())["model"] == "bicubic"
    assert isinstance(CliRunner().invoke(app, arguments).exception, UsageError)
    enlarge = ["upscale", str(images / "photo.png"), "-n", "bicubic", "-o", str(tmp_path / "out.png"), "--json"]
    trust = ["--error-map", str(tmp_path / "map.tif"), "--calibration", str(written), "--faithful", "1"]
    result = CliRunner().invoke(app, [*enlarge, *trust])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "map.tif").is_file()
    entry = json.loads(result.stdout)["files"][0]
    assert entry["lr_psnr"] > 45
    assert sum(entry["expected_errors"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--faithful", "2"], "from 0 .off. to 1"),
        (["--error-map-look"], "add --error-map map.png"),
        (["--report", "report.txt"], r"ends in \.html or \.json"),
        (["other.png", "--error-map", "map.png"], "give one input"),
    ],
)
def test_what_cannot_be_is_refused(photo: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["upscale", str(photo), *arguments])
    assert isinstance(result.exception, UsageError)
    with pytest.raises(UsageError, match=message):
        raise result.exception


def test_the_line_of_a_result_has_its_lr_psnr(photo: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["upscale", str(photo), "-n", "fsrcnn", "-o", str(tmp_path / "out.png")])
    assert " dB  " in result.stdout
