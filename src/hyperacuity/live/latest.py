"""The queue of one frame in front of the network; a newer frame replaces the waiting one."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestItem(Generic[T]):
    """A queue of length one between two threads; an item not taken in time is replaced, and counted in `dropped`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._ended = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Replace the waiting item, if there is one."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify()

    def take(self, timeout: float) -> T | None:
        """Wait for the newest item and return it; None after `timeout` seconds, or if the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._ended, timeout)
            item, self._item = self._item, None
            return item

    def put_back(self, item: T) -> None:
        """Put back an item that was taken, unless a newer one is waiting."""
        with self._changed:
            if self._item is None:
                self._item = item
            else:
                self.dropped += 1

    def end(self) -> None:
        """Close the queue; the waiting item can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    @property
    def ended(self) -> bool:
        """Whether no item is waiting and no more will come."""
        with self._changed:
            return self._ended and self._item is None
