"""Tells waiting requests that jobs have changed: one reader of the store, however many wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from hyperacuity.server.records import Event
from hyperacuity.server.store import Store

_LOG = logging.getLogger(__name__)
# Seconds between two looks at the store.
_INTERVAL = 0.25
# Events that a slow reader may be behind; it then reads the store.
_BEHIND = 200


class Notifier:
    """Passes new events of the store to those who wait for them.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, set[asyncio.Queue[Event | None]]] = {}
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
        for queues in self._waiting.values():
            for queue in queues:
                queue.put_nowait(None)

    @contextlib.asynccontextmanager
    async def subscription(self, job: str) -> AsyncIterator[asyncio.Queue[Event | None]]:
        """Give a queue of the events of a job from now on; None ends it."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_BEHIND)
        self._waiting.setdefault(job, set()).add(queue)
        try:
            yield queue
        finally:
            self._waiting[job].discard(queue)
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
                for queue in self._waiting.get(event.job, ()):
                    with contextlib.suppress(asyncio.QueueFull):
                        queue.put_nowait(event)
