"""Rows of a TIFF file, read from the strips or tiles that hold them."""

from __future__ import annotations

from collections.abc import Iterator

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Content
from hyperacuity.formats.photo.source import naming
from hyperacuity.formats.photo.tiff_pages import TiffPage, pages_of
from hyperacuity.formats.photo.tiff_reading import check_readable, decoded_rows, reads_in_parts
from hyperacuity.formats.photo.tiff_tags import Tiff
from hyperacuity.image import Array, Header, Image

# Bytes that are decoded at a time.
_PART = 16 << 20


class TiffRows:
    """A `RowSource` of the only page of a TIFF file; its header has no metadata.

    Args:
        name: The name of the file in messages.
        tiff: The file.
        page: Its page.
    """

    def __init__(self, name: str, tiff: Tiff, page: TiffPage) -> None:
        self._name, self._tiff, self._page = name, tiff, page
        height = tiff.integer(page.tags, 257, 0)
        pixels, alpha = decoded_rows(tiff, page.tags, 0, 1)
        first = Image.from_pixels(pixels, alpha=alpha).header
        self.header = Header(height, first.width, first.channels, first.dtype, first.levels, alpha)
        self._step = max(1, _PART // max(1, pixels.nbytes))
        # Each part is decoded from whole strips or tiles, so that none is decoded twice.
        block = tiff.integer(page.tags, 323, 0) if 324 in page.tags else tiff.integer(page.tags, 278, height)
        self._block = max(1, min(block, height))

    def read(self, first: int, last: int) -> Iterator[Array]:
        """Yield the rows [first, last).

        Raises:
            DamagedFile: A strip or tile is damaged or missing.
        """
        step = max(1, round(self._step / self._block)) * self._block
        while first < last:
            stop = min(last, (first // step + 1) * step)
            with naming(self._name):
                yield decoded_rows(self._tiff, self._page.tags, first, stop)[0]
            first = stop


def row_source(content: Content) -> TiffRows | None:
    """Open a TIFF file of one page whose rows can be read in any order; None for all others."""
    with naming(content.name):
        tiff = Tiff(content.whole())
        pages, _ = pages_of(tiff)
        if len(pages) != 1 or not reads_in_parts(tiff, pages[0]):
            return None
        check_readable(tiff, pages[0].tags)
        if not tiff.integer(pages[0].tags, 257, 0):
            raise DamagedFile("it has no rows")
        return TiffRows(content.name, tiff, pages[0])
