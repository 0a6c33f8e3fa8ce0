"""How long to wait before the next attempt to connect."""

from __future__ import annotations

# In seconds.
FIRST, MOST = 0.5, 30.0


class Backoff:
    """A wait that doubles from attempt to attempt, from `FIRST` to `MOST` seconds; `succeeded` resets it."""

    def __init__(self) -> None:
        self._next = FIRST

    def failed(self) -> float:
        """Returns how many seconds to wait now."""
        wait, self._next = self._next, min(MOST, 2 * self._next)
        return wait

    def succeeded(self) -> None:
        """Start again with the shortest wait."""
        self._next = FIRST
