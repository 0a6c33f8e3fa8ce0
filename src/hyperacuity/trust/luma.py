"""The luma of an image as rows stream by, kept on disk, in grey levels of 8 bits: what error maps are computed from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hyperacuity.image import Header

# Grey levels are kept in steps of 1 / STEPS.
STEPS = 256
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
_CODES = 65535


def luma_levels(rows: NDArray[Any], header: Header) -> NDArray[np.float32]:
    """Return the luma of stored rows in grey levels: 0 for black, 255 for white.

    Args:
        rows: (h, W, C), as stored.
        header: Of their image.

    Example:
        >>> header = Header(1, 1, 1, np.dtype(np.uint16), (0, 65535))
        >>> luma_levels(np.full((1, 1, 1), 257, np.uint16), header)
        array([[1.]], dtype=float32)
    """
    colours = rows[..., : header.colours].astype(np.float32)
    black, white = header.levels
    grey = colours[..., 0] if header.colours == 1 else colours @ _WEIGHTS
    result: NDArray[np.float32] = (grey - np.float32(black)) * np.float32(255 / (white - black))
    return result


class LumaSpool:
    """A plane of `height` x `width` in a temporary file of two bytes a pixel, filled from the top.

    Args:
        height: Rows.
        width: Columns.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._file = tempfile.TemporaryFile(prefix="hyperacuity-")  # noqa: SIM115 - closed by `__exit__`

    def add(self, levels: NDArray[np.float32]) -> None:
        """Add the next rows (h, W), in grey levels; they are limited to 0 to 255.99."""
        codes = np.rint(np.clip(np.nan_to_num(levels) * STEPS, 0, _CODES)).astype(np.uint16)
        self._file.write(codes.tobytes())

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Returns rows `start` to `stop`, in grey levels."""
        self._file.seek(2 * start * self.width)
        data = self._file.read(2 * (stop - start) * self.width)
        codes = np.frombuffer(data, np.uint16).reshape(stop - start, self.width)
        return codes.astype(np.float32) / np.float32(STEPS)

    def blocks(self, height: int = 64) -> Iterator[NDArray[np.float32]]:
        """Yields all rows, `height` at a time."""
        for start in range(0, self.height, height):
            yield self.rows(start, min(self.height, start + height))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
