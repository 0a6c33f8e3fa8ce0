"""Raw files of cameras, which hold what the sensor measured and no image until they are developed.

Most are TIFF structures: previews in the main directory and the sensor's mosaic in others, or in it. The rest have
first bytes of their own, which `formats.foreign` lists.
"""

from __future__ import annotations

from collections.abc import Iterator

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo.tiff_tags import Directory, Tiff

SUB_DIRECTORIES = 330

_MAKE, _PHOTOMETRIC, _COMPRESSION, _SUBFILE, _DNG = 271, 262, 259, 254, 50706
# The mosaic of a sensor, and its values without a mosaic.
_SENSOR = (32803, 34892)
# Compressions that only cameras use: Sony, Samsung, Nikon, Pentax.
_CAMERAS_OWN = (32767, 32770, 34713, 65535)
_BY_MAKE = {
    b"NIKON": "NEF",
    b"SONY": "ARW",
    b"PENTAX": "PEF",
    b"RICOH": "PEF",
    b"SAMSUNG": "SRW",
    b"CANON": "CR2",
    b"HASSELBLAD": "3FR",
    b"PHASE ONE": "IIQ",
    b"EASTMAN KODAK": "DCR",
    b"KODAK": "DCR",
    b"SEIKO EPSON": "ERF",
    b"EPSON": "ERF",
    b"LEAF": "MOS",
    b"MAMIYA": "MEF",
    b"PANASONIC": "RW2",
    b"LEICA": "DNG",
    b"OLYMPUS": "ORF",
    b"OM DIGITAL": "ORF",
}
CURE = "develop it into a TIFF or JPEG first"


def marked(tiff: Tiff) -> str | None:
    """Return the kind of raw file that the bytes behind the head of a TIFF structure state; None for other files."""
    mark = bytes(tiff.data[8:12])
    return "CR2" if mark[:3] == b"CR\2" else "IIQ" if mark in (b"IIII", b"MMMM") else None


def kind(tiff: Tiff, directories: list[Directory]) -> str | None:
    """Return the kind of raw file that a TIFF structure is, such as "NEF"; None if it is an ordinary TIFF.

    Args:
        tiff: The file.
        directories: Those of its main chain.
    """
    several = [*directories, *_below(tiff, directories)]
    sensor = any(
        tiff.integer(one, _PHOTOMETRIC, 1) in _SENSOR or tiff.integer(one, _COMPRESSION, 1) in _CAMERAS_OWN
        for one in several
    )
    full = any(not tiff.integer(one, _SUBFILE, 0) & 1 and 256 in one for one in directories)
    if sensor or (not full and (any(_DNG in one for one in several) or any(SUB_DIRECTORIES in one for one in several))):
        return _name(directories, several)
    return None


def _name(directories: list[Directory], several: list[Directory]) -> str:
    if any(_DNG in one for one in several):
        return "DNG"
    for one in directories:
        if _MAKE in one:
            make = one[_MAKE].raw.upper()
            return next((name for start, name in _BY_MAKE.items() if make.startswith(start)), "of an unknown kind")
    return "of an unknown kind"


def _below(tiff: Tiff, directories: list[Directory]) -> Iterator[Directory]:
    """The directories under the tag of sub-directories, one level down."""
    for one in directories:
        for offset in sub_offsets(tiff, one)[:64]:
            try:
                yield tiff.directory(offset)[0]
            except DamagedFile:
                return


def sub_offsets(tiff: Tiff, page: Directory) -> tuple[int, ...]:
    """Return where the sub-directories of a page are."""
    return tiff.integers(page, SUB_DIRECTORIES)
