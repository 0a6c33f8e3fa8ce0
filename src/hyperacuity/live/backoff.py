"""How long to wait before the next try."""

from __future__ import annotations

FIRST, MOST = 0.5, 30.0


class Backoff:
    """Seconds that double from try to try; `succeeded` begins anew."""

    def __init__(self) -> None:
        self._next = FIRST

    def failed(self) -> float:
        """How long to wait now."""
        wait, self._next = self._next, min(MOST, 2 * self._next)
        return wait

    def succeeded(self) -> None:
        self._next = FIRST
