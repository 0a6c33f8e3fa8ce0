"""Who works on what. A lease is a small file in the store; its age is judged by the clock of the store alone."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import secrets
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hyperacuity.cluster.manifest import Plan
from hyperacuity.errors import HyperacuityError

# A holder renews its lease this often within the time after which it counts as lost.
_RENEWALS = 5


def new_holder() -> str:
    """Returns a name for this process that no other one has."""
    return f"{this_machine()}:{os.getpid()}:{secrets.token_hex(8)}"


@functools.cache
def this_machine() -> str:
    """Returns a name for what numbers the processes that this one sees: a machine since its start, or a container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return f"{platform.node()}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class LeaseRecord:
    """The content of a lease.

    Attributes:
        holder: See `new_holder`; "" if the task was given back.
        lost: How many workers were lost on this task.
        seconds: For how long the holder has had it, by the renewals.
    """

    holder: str
    lost: int = 0
    seconds: float = 0.0

    def to_bytes(self) -> bytes:
        """Returns what is stored."""
        return json.dumps({"holder": self.holder, "lost": self.lost, "seconds": self.seconds}).encode()

    @classmethod
    def from_bytes(cls, data: bytes | None) -> LeaseRecord:
        """Returns the record of stored data; that of a task given back if it is unreadable."""
        with contextlib.suppress(ValueError, TypeError, KeyError):
            content: Any = json.loads(data or b"")
            return cls(str(content["holder"]), int(content["lost"]), float(content["seconds"]))
        return cls("")


class Lease:
    """A claim on a task, which a thread renews as long as the `with` block runs.

    Args:
        plan: The plan.
        number: The task.
        record: What was written.
        seconds: After how long without renewal it counts as lost.
    """

    def __init__(self, plan: Plan, number: int, record: LeaseRecord, seconds: float) -> None:
        self._plan, self._number, self.record, self._seconds = plan, number, record, seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{number}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        location, store, interval = lease_of(self._plan, self._number), self._plan.store, self._seconds / _RENEWALS
        record = self.record
        while not self._ended.wait(interval):
            record = replace(record, seconds=record.seconds + interval)
            with contextlib.suppress(HyperacuityError):  # the next renewal may succeed
                if LeaseRecord.from_bytes(store.read(location)).holder == record.holder:
                    store.write(location, record.to_bytes())

    def release(self) -> None:
        """Remove the lease: the task is done, or has failed by itself."""
        self._plan.store.remove(lease_of(self._plan, self._number))

    def give_back(self, *, lost: bool = False) -> None:
        """Let others claim the task at once; `lost` counts this worker as lost."""
        _give_back(self._plan, self._number, self.record, lost=lost)


def lease_of(plan: Plan, number: int) -> str:
    """Returns the location of the lease of a task."""
    return plan.state("leases", str(number))


def claim(plan: Plan, number: int, holder: str, seconds: float, *, take: bool = False) -> Lease | None:
    """Claim a task.

    Args:
        plan: The plan.
        number: The task.
        holder: From `new_holder`.
        seconds: After how long without a renewal another holder counts as lost.
        take: Whether to take the task from a holder that may still work on it, because the caller knows better.

    Returns:
        The lease; None if another worker has the task.
    """
    store, location = plan.store, lease_of(plan, number)
    record = LeaseRecord(holder)
    if store.create(location, record.to_bytes()):
        return Lease(plan, number, record, seconds)
    found = LeaseRecord.from_bytes(store.read(location))
    if found.holder and not (take or _has_ended(found.holder) or _is_stale(plan, location, seconds)):
        return None
    record = LeaseRecord(holder, found.lost + bool(found.holder))
    store.write(location, record.to_bytes())
    # Another worker may have taken it over at the same moment: the last one that wrote has it.
    return Lease(plan, number, record, seconds) if store.read(location) == record.to_bytes() else None


def lose(plan: Plan, number: int, holder: str) -> None:
    """Give back a task whose holder is known to have ended, and count it as lost."""
    found = LeaseRecord.from_bytes(plan.store.read(lease_of(plan, number)))
    if found.holder == holder:
        _give_back(plan, number, found, lost=True)


def _give_back(plan: Plan, number: int, record: LeaseRecord, *, lost: bool) -> None:
    plan.store.write(
        lease_of(plan, number), replace(record, holder="", lost=record.lost + lost, seconds=0.0).to_bytes()
    )


def _is_stale(plan: Plan, location: str, seconds: float) -> bool:
    entry = plan.store.find(location)
    return entry is None or plan.store.now(plan.state("clock")) - entry.modified > seconds


def _has_ended(holder: str) -> bool:
    """Whether a holder was a process of this machine that does not run any more."""
    host, _, rest = holder.rpartition(":")[0].rpartition(":")
    if host != this_machine() or not rest.isdecimal():
        return False
    import psutil

    return not psutil.pid_exists(int(rest))
