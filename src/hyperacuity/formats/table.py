"""The one table of formats. A new format is one module of `photo` and one line here.

The module is imported when the first file of its format is read or written. If the format was only recognised until now
(DICOM is), its line in `foreign` goes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hyperacuity.formats.content import Content
from hyperacuity.formats.protocol import Capacity, Format, FormatModule, Sink, Source
from hyperacuity.formats.signatures import Signature, brands, pattern
from hyperacuity.image import Item


@dataclass(frozen=True)
class ListedFormat:
    """A line of the table: everything that is known of a format before its module is needed; see `Format`.

    Attributes:
        module: The name of the module in `photo`.
        signature: Whether a file is of this format, by its first bytes.
        SUFFIXES, READS, ONLY_READ: See `Format`.
    """

    module: str
    signature: Signature
    SUFFIXES: tuple[str, ...]
    READS: tuple[str, ...]
    ONLY_READ: tuple[str, ...] = ()

    @property
    def loaded(self) -> FormatModule:
        """The module."""
        return cast(FormatModule, importlib.import_module(f"hyperacuity.formats.photo.{self.module}"))

    @property
    def HOLDS(self) -> Capacity | None:  # noqa: N802 - a constant of the module
        """What files of this format can hold."""
        return self.loaded.HOLDS

    def accepts(self, content: Content) -> bool:
        """Return whether a file is of this format."""
        return self.signature(content.head)

    def read(self, content: Content) -> Source:
        """Open a file that the format accepts."""
        return self.loaded.read(content)

    def inventory(self, content: Content) -> tuple[Item, ...]:
        """List everything that a file holds besides its main pixels."""
        return self.loaded.inventory(content)

    def write(self, path: Path, like: Source | None, *, quality: int | None = None) -> Sink:
        """Return a sink for a file."""
        return self.loaded.write(path, like, quality=quality)


_AVIF = frozenset((b"avif", b"avis"))
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# The first that accepts a file reads it; the first that has its ending writes it.
FORMATS: tuple[Format, ...] = (
    ListedFormat("png", pattern(rb"\x89PNG\r\n\x1a\n"), (".png", ".apng"), ("PNG",)),
    ListedFormat("jpeg", pattern(rb"\xff\xd8\xff"), (".jpg", ".jpeg", ".jfif"), ("JPEG",), (".jpe",)),
    ListedFormat("webp", pattern(rb"RIFF.{4}WEBP"), (".webp",), ("WebP",)),
    ListedFormat("tiff", pattern(rb"II[*+]\0|MM\0[*+]"), (".tif", ".tiff"), ("TIFF",)),
    # By its mark and the length of its header.
    ListedFormat("bmp", pattern(rb"BM.{13}\0{3}"), (".bmp",), ("BMP",), (".dib",)),
    ListedFormat("gif", pattern(rb"GIF8[79]a"), (".gif",), ("GIF",)),
    ListedFormat("avif", brands(*_AVIF), (".avif",), ("AVIF",)),
    # AVIF has brands of HEIF, too.
    ListedFormat("heif", brands(*_HEIF, unless=_AVIF), (".heic", ".heif"), ("HEIC",), (".hif",)),
    ListedFormat(
        "jp2",  # in boxes, or a bare codestream
        pattern(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
        (),
        ("JPEG 2000",),
        (".jp2", ".j2k", ".j2c", ".jpf", ".jpx"),
    ),
    # In boxes, or a bare codestream.
    ListedFormat("jxl", pattern(rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a"), (".jxl",), ("JPEG XL",)),
    ListedFormat(
        "netpbm",
        pattern(rb"P[1-7fF][\s#]"),
        (".ppm", ".pgm", ".pnm", ".pfm"),
        ("PBM", "PGM", "PPM", "PAM", "PFM"),
        (".pbm", ".pam"),
    ),
)


def suffixes() -> list[str]:
    """Return every ending of an image that can be written, lower case with the dot."""
    return [suffix for each in FORMATS for suffix in each.SUFFIXES]


def holding(fits: Callable[[Capacity], bool]) -> str:
    """Return the endings of formats that hold all metadata and satisfy `fits`, such as ".png or .tif"."""
    complete = {"icc", "exif", "xmp"}
    found = [
        each.SUFFIXES[0]
        for each in FORMATS
        if each.HOLDS is not None and complete <= each.HOLDS.metadata.keys() and fits(each.HOLDS)
    ]
    return " or ".join([", ".join(found[:-1])] * (len(found) > 1) + found[-1:])
