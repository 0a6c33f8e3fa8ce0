"""How the orientation of an image moves places in it: points, rectangles, EXIF's subject areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """The turn that makes a stored image upright.

    Args:
        orientation: 1 to 8, as EXIF counts.
        width: Columns of the image as it is stored.
        height: Rows of the image as it is stored.

    Example:
        >>> Turn(6, 120, 90).point((60, 30), (120, 90))
        (60, 60)
    """

    orientation: int
    width: int
    height: int

    @property
    def swaps(self) -> bool:
        """Whether columns become rows."""
        return self.orientation >= 5

    def point(self, place: Sequence[float], frame: tuple[float, float]) -> tuple[float, float]:
        """Return where a point of the stored image is in the upright one.

        Args:
            place: Its distances from the left and the top.
            frame: Width and height of the stored image in the same unit.
        """
        x, y = place
        across, down = frame[0] - x, frame[1] - y
        return {
            1: (x, y),
            2: (across, y),
            3: (across, down),
            4: (x, down),
            5: (y, x),
            6: (down, x),
            7: (down, across),
            8: (y, across),
        }[self.orientation]

    def rectangle(self, area: Sequence[float], frame: tuple[float, float]) -> tuple[float, float, float, float]:
        """Return left, top, width and height of a rectangle in the upright image.

        Args:
            area: Its left, top, width and height in the stored image.
            frame: Width and height of the stored image in the same unit.
        """
        left, top, width, height = area
        one = self.point((left, top), frame)
        other = self.point((left + width, top + height), frame)
        sides = (height, width) if self.swaps else (width, height)
        return min(one[0], other[0]), min(one[1], other[1]), *sides

    def subject(self, area: Sequence[float]) -> list[float]:
        """Return EXIF's subject area or location in the upright image.

        Args:
            area: The centre; then nothing, a diameter, or width and height.

        Source: EXIF 2.32, 4.6.5, SubjectArea.
        """
        x, y = self.point(area[:2], (self.width, self.height))
        rest = list(area[2:])
        return [x, y, *(rest[::-1] if self.swaps else rest)]


NO_TURN = Turn(1, 0, 0)
