"""`hyperacuity tune`: its output."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from hyperacuity.engines import timing
from tests.cli.process import run


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="the path is that of Linux")
def test_tune_shows_a_table_and_keeps_the_fastest(tmp_path: Path) -> None:
    result = run("tune", "-n", "fsrcnn-x2", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    fastest = lines[lines.index(["engine", "ms", "megapixels/s", "first", "ms", "difference"]) + 1][0]
    kept = json.loads((tmp_path / "hyperacuity" / "engines.json").read_text())
    assert list(kept.values()) == [fastest]
    assert next(iter(kept)).startswith("fsrcnn-x2 ")


def test_models_that_cannot_be_tuned_are_refused(tmp_path: Path) -> None:
    for arguments, answer in (
        (["-n", "bicubic"], "bicubic has no ONNX file: there are no engines to compare"),
        (["-n", "fsrcn"], "Did you mean 'fsrcnn'"),
        (["-n", "fsrcnn", "-m", "a.onnx"], "not both"),
    ):
        result = run("tune", *arguments, folder=tmp_path)
        assert (result.returncode, result.stdout) == (1, "")
        assert answer in result.stderr


def test_the_reason_why_an_engine_is_missing_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def time_engines(model: object) -> list[timing.EngineTiming]:
        return [
            timing.EngineTiming("onnxruntime", seconds=0.1),
            timing.EngineTiming("ncnn", fault="pip install 'hyperacuity[ncnn]'"),
        ]

    monkeypatch.setattr(timing, "time_engines", time_engines)
    result = run("tune", "-n", "fsrcnn-x2", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "pip install 'hyperacuity[ncnn]'" in result.stdout
