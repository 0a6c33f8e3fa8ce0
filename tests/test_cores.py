"""How many cores this process may use, and that engines use no more."""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path
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


@pytest.mark.parametrize(
    ("group", "limits", "expected"),
    [
        ("/", {"": "max 100000"}, math.inf),
        ("/", {"": "200000 100000"}, 2),
        ("/a/b", {"a": "150000 100000", "a/b": "max 100000"}, 1.5),  # the limit of its parent applies too
        ("/a/b", {"a": "400000 100000", "a/b": "50000 100000"}, 0.5),
        ("/a/b", {"a": "nonsense"}, math.inf),
        (None, {}, math.inf),
    ],
)
def test_a_container_may_have_less_than_its_cores(
    group: str | None, limits: dict[str, str], expected: float, tmp_path: Path
) -> None:
    if group is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(f"4:memory:/elsewhere\n0::{group}\n")
    for name, content in limits.items():
        folder = tmp_path / "sys/fs/cgroup" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(content + "\n")
    assert machine.quota(tmp_path) == expected


def test_cores_are_whole_and_one_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = machine.cores()
    for quota, expected in ((0.3, 1), (1.5, min(2, bound)), (1000, bound)):
        monkeypatch.setattr(machine, "quota", functools.partial(float, quota))
        assert machine.cores() == expected
