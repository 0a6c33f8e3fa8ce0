"""Notes when tasks of plans begin and end, and makes them slower, in every Python that has this folder in PYTHONPATH.

Python imports this at its start. A line is "begin 7 1760000000.0" or "end 7 1760000000.5", with the time, in the file
that HYPERACUITY_TRACE names, or else in the one beside the folder of the plan. A killed worker leaves a "begin" without
an "end".
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Seconds that each task waits before its work, and again before its result is published.
_WAIT = 0.15


def note(bench: Any, text: str) -> None:
    """Append a line; one write of a few bytes is never torn."""
    path = os.environ.get("HYPERACUITY_TRACE") or f"{bench.plan.location}.trace"
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{text} {time.time()}\n")


class TracedKind:
    """A kind of task whose work is noted."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def is_done(self, task: Any, plan: Any) -> bool:
        done: bool = self._kind.is_done(task, plan)
        return done

    def work(self, task: Any, bench: Any) -> Any:
        note(bench, f"begin {task.number}")
        time.sleep(_WAIT)
        for name in ("publish", "put_part"):
            setattr(bench, name, _late(getattr(bench, name)))
        outcomes = self._kind.work(task, bench)
        note(bench, f"end {task.number}")
        return outcomes


def _late(publish: Any) -> Any:
    def wait_and_publish(*given: Any) -> Any:
        time.sleep(_WAIT)
        return publish(*given)

    return wait_and_publish


def _trace_kinds(module: Any) -> None:
    module.KINDS.update({name: TracedKind(kind) for name, kind in module.KINDS.items()})


def _look_often(module: Any) -> None:
    module._POLL = 0.5  # seconds between two looks at the queue of Slurm


_CHANGES = {"hyperacuity.cluster.kinds.table": _trace_kinds, "hyperacuity.cluster.runners.slurm": _look_often}


class _Finder:
    """Changes modules right after their import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = _CHANGES.pop(name, None)
        found = importlib.util.find_spec(name) if change is not None else None
        if found is None or found.loader is None or change is None:
            return None
        execute = found.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            change(module)

        found.loader.exec_module = execute_and_change  # type: ignore[method-assign]  # of this one loader
        return found


sys.meta_path.insert(0, _Finder())
