"""What every request needs, kept by the application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request

from hyperacuity.server.folders import Folders
from hyperacuity.server.http.events import Notifier
from hyperacuity.server.http.problems import Problem
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.store import Store
from hyperacuity.server.workers import Workers

T = TypeVar("T")


@dataclass
class ServerState:
    """The parts of a running server.

    Attributes:
        options, store, folders, workers: See their modules.
        notifier: Tells waiting requests of changes.
        writing: The ids of uploads that a request is writing to.
        refused: How many requests were refused, by reason.
    """

    options: ServerOptions
    store: Store
    folders: Folders
    workers: Workers
    notifier: Notifier
    writing: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str, problem: Problem) -> Problem:
        """Count a refusal and return it."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        return problem

    def check_disk(self, more: int = 0) -> None:
        """Refuse what the disk has no room for.

        Raises:
            Problem: 507.
        """
        import shutil

        usage = shutil.disk_usage(self.folders.data)
        left = (usage.free - more) / usage.total
        if left < self.options.min_free_share:
            least = self.options.min_free_share
            detail = f"the server's disk would have {max(0.0, left):.0%} left; it keeps {least:.0%} free"
            raise self.refuse("disk", Problem(507, detail))

    async def read(self, verb: Callable[..., T], *values: Any, **named: Any) -> T:
        """Call a verb of the store that only reads; in a thread, where that waits for a database."""
        return verb(*values, **named) if self.store.reads_at_once else await asyncio.to_thread(verb, *values, **named)

    def upload_expiry(self) -> float:
        """Return when an upload that is written to now expires."""
        return time.time() + 3600 * self.options.upload_hours

    def result_expiry(self) -> float:
        """Return when a job that ends now expires."""
        return time.time() + 86400 * self.options.result_days


def state_of(request: Request) -> ServerState:
    """Return the state of the application that serves a request."""
    found: ServerState = request.app.state.server
    return found
