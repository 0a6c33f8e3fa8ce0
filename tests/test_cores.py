"""Engines use no more cores than the process may use; `test_machine.py` tests how many that are."""

from __future__ import annotations

import functools
import os
from typing import Any

import pytest

from hyperacuity import engines, machine, zoo


def test_onnx_runtime_takes_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default it counts those of the machine, even if taskset or a container allow fewer."""
    model = zoo.find_models("fsrcnn-x2")[0]
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for cores, wanted in ((4, 0), (3, 3), (1, 1)):
        monkeypatch.setattr(machine, "cores", functools.partial(int, cores))
        opened: Any = engines.open(model, engine="onnxruntime", device="cpu")
        assert opened._session.get_session_options().intra_op_num_threads == wanted
