"""The job of an encoder: a file's pages, metadata and options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hyperacuity.formats.photo.spool import Page
from hyperacuity.image import Header, Metadata
from hyperacuity.storage import Partial


@dataclass
class EncoderInput:
    """One file to encode.

    Args:
        out: The file, open and empty.
        pages: Its images, all of one shape and type unless the format's `Capacity` says "mixed".
        page_metadata: For each page, what the format keeps, already adjusted to the size that is written.
        quality: 1 to 100; None for the format's default.
        loop: How often an animation plays; 0 = for ever.
        lossless: Whether the source was lossless, so that lossy encoding would be the first loss.
    """

    out: Partial
    pages: list[Page]
    page_metadata: list[Metadata]
    quality: int | None
    loop: int
    lossless: bool

    @property
    def header(self) -> Header:
        """The header of the first page."""
        return self.pages[0].header

    @property
    def metadata(self) -> Metadata:
        """The metadata of the first page, which most formats state once for the file."""
        return self.page_metadata[0]

    def patch(self, at: int, data: bytes) -> None:
        """Overwrite bytes of the finished file."""
        self.out.file.seek(at)
        self.out.write(data)


Encode = Callable[[EncoderInput], None]
