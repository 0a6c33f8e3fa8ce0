"""Wakes waiting requests when jobs have changed: one reader of the store, however many wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from hyperacuity.server.store import Store

_LOG = logging.getLogger(__name__)
# Seconds between two looks at the store.
_INTERVAL = 0.1


class Notifier:
    """Wakes those who wait for changes of a job; they read the store for themselves.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.ended = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read, in the running event loop."""
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """End reading, and let those who wait go."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.ended = True
        for waiting in self._waiting.values():
            for changed in waiting:
                changed.set()

    @contextlib.asynccontextmanager
    async def subscription(self, job: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set whenever the job has changed, and when the server ends (`ended`)."""
        changed = asyncio.Event()
        self._waiting.setdefault(job, set()).add(changed)
        try:
            yield changed
        finally:
            self._waiting[job].discard(changed)
            if not self._waiting[job]:
                del self._waiting[job]

    async def _read(self) -> None:
        last = await asyncio.to_thread(self._store.last_event)
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                found = await asyncio.to_thread(self._store.new_events, last)
            except Exception:  # the database may be away for a while
                _LOG.exception("events could not be read")
                continue
            for event in found:
                last = event.number
                for changed in self._waiting.get(event.job, ()):
                    changed.set()
