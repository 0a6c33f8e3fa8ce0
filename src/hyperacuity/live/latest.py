"""Where the newest frame waits for the network: there is one place, and who comes later takes it."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """A queue of length one between two threads; what is not taken in time is replaced, and counted in `dropped`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._ended = False
        self.dropped = 0

    def put(self, item: T) -> None:
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify()

    def take(self, timeout: float) -> T | None:
        """The newest item, once there is one; None where none came for `timeout` seconds, or none will."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._ended, timeout)
            item, self._item = self._item, None
            return item

    def put_back(self, item: T) -> None:
        """Take it after all, if nothing newer is there."""
        with self._changed:
            if self._item is None:
                self._item = item
            else:
                self.dropped += 1

    def end(self) -> None:
        """No more will come; the one that waits can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing will come."""
        with self._changed:
            return self._ended and self._item is None
