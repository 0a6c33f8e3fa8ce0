"""How a video is turned when it is shown."""

from __future__ import annotations

import math


def quarter_turns(matrix: tuple[int, ...] | None) -> int:
    """Returns how many counter-clockwise quarter turns a display matrix makes."""
    return 0 if matrix is None else round(-math.atan2(matrix[1], matrix[0]) / (math.pi / 2)) % 4
