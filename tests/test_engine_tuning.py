"""Timing every engine, and remembering the fastest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hyperacuity import engines, machine, zoo
from hyperacuity.engines import ncnn, onnx_runtime, opening, timing, tuning
from hyperacuity.errors import UsageError

pytestmark = pytest.mark.usefixtures("untuned")


def test_auto_takes_what_was_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "has_driver", lambda: False)
    acute, fsrcnn = zoo.find_models("acute-50k-x2")[0], zoo.find_models("fsrcnn-x2")[0]
    assert tuning.remember(acute, "ncnn")
    assert tuning.remember(fsrcnn, "onnxruntime")
    assert isinstance(engines.open(acute), ncnn.Ncnn)
    assert isinstance(engines.open(fsrcnn), onnx_runtime.OnnxRuntime)
    for fact, value in (("processor", "another"), ("cores", 999)):  # another machine with the same home
        with monkeypatch.context() as other:
            other.setattr(machine, fact, lambda value=value: value)
            assert isinstance(engines.open(acute), onnx_runtime.OnnxRuntime)
    tuning.cache_file().write_text('{"acute')
    assert isinstance(engines.open(acute), onnx_runtime.OnnxRuntime)


def test_an_unwritable_cache_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    monkeypatch.setattr(tuning, "cache_file", lambda: tmp_path / "full" / "engines.json")
    model = zoo.find_models("fsrcnn-x2")[0]
    assert not tuning.remember(model, "ncnn")
    assert tuning.recall(model) is None


def test_a_trial_runs_every_engine_and_says_which_could_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing, "SIDES", (24, 32))
    results = timing.time_engines(zoo.find_models("fsrcnn-x2")[0])
    assert {one.engine for one in results} == set(engines.ENGINES)
    assert [one.seconds for one in results] == sorted(one.seconds or 0 for one in results)
    assert all(one.difference < 1e-4 and one.megapixels_per_second > 0 for one in results)
    assert len({one.difference for one in results}) > 1

    def refuse(*_: object) -> engines.Engine:
        raise UsageError("not this one")

    monkeypatch.setitem(engines.ENGINES, "ncnn", replace(ncnn.BACKEND, open=refuse))
    last = timing.time_engines(zoo.find_models("fsrcnn-x2")[0])[-1]
    assert (last.engine, last.seconds, last.fault) == ("ncnn", None, "not this one")
