"""The pages of a TIFF file: which of its directories are images to enlarge, and which are not.

Copies of reduced size are previews: they would be outdated next to the enlarged page, and are left out silently. Masks
are left out and named. ImageJ and tifffile may write one directory for a whole stack, whose planes follow one another.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from hyperacuity.counting import counted
from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.photo import camera_raw, imagej
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.tiff_tags import Directory, Entry, Tiff, sized_integers
from hyperacuity.image import Item

_REDUCED, _MASK = 1, 4


@dataclass(frozen=True)
class TiffPage:
    """One page.

    Args:
        number: Its place in the chain of directories, from 0; None if it is a plane that has no directory.
        tags: Its tags.
    """

    number: int | None
    tags: Directory


def pages_of(tiff: Tiff) -> tuple[list[TiffPage], list[Item]]:
    """Return the pages of a file, and the images in it that are left out and would be missed.

    Raises:
        DamagedFile: If there is none, or one is cut short.
        UnsupportedFormat: If it is a raw camera file, or a page announces too many pixels.
    """
    raw = camera_raw.marked(tiff)
    directories = tiff.directories() if raw is None else []
    raw = raw or camera_raw.kind(tiff, directories)
    if raw is not None:
        raise UnsupportedFormat(f"it is a raw camera file ({raw}): {camera_raw.CURE}")
    lost = []
    pages = []
    for number, tags in enumerate(directories):
        kind = _subfile(tiff, tags)
        if kind & _MASK and not kind & _REDUCED:
            lost.append(Item(f"page {number + 1}", "transparency mask"))
        elif kind & _REDUCED:
            lost.append(Item(f"thumbnail page {number + 1}", "preview"))
        else:
            pages.append(TiffPage(number, tags))
            lost += _below(tiff, tags, f"page {number + 1} tag 330")
    if not pages:
        raise DamagedFile("it has no page")
    for page in pages:
        check_size(tiff.integer(page.tags, 256, 0), tiff.integer(page.tags, 257, 0))
        _check_whole(tiff, page.tags)
    return (_planes(tiff, pages[0].tags) or pages if len(directories) == 1 else pages), lost


def orientation_of(tiff: Tiff, tags: Directory) -> int:
    """Return how a page is turned to be shown upright, 1 to 8."""
    found = tiff.integer(tags, 274, 1)
    return found if 1 <= found <= 8 else 1


def _subfile(tiff: Tiff, tags: Directory) -> int:
    """The flags of a page: a reduced copy, one page of several, a mask."""
    if 254 in tags:
        return tiff.integer(tags, 254, 0)
    return _REDUCED if tiff.integer(tags, 255, 1) == 2 else 0


def _below(tiff: Tiff, tags: Directory, place: str) -> list[Item]:
    """The images in the sub-directories of a page; its smaller copies, as of a pyramid, are previews."""
    found = []
    for offset in camera_raw.sub_offsets(tiff, tags)[:64]:
        try:
            inner, _, _ = tiff.directory(offset)
        except DamagedFile:
            break
        kind = _subfile(tiff, inner)
        (width, height), (whole_width, whole_height) = (
            (tiff.integer(one, 256, 0), tiff.integer(one, 257, 0)) for one in (inner, tags)
        )
        copied = 0 < width < whole_width and abs(width * whole_height - height * whole_width) <= 2 * max(
            whole_width, whole_height
        )
        if kind & _REDUCED or (copied and not kind & _MASK):
            found.append(Item(f"thumbnail {place}", "preview"))
        else:
            found.append(Item(place, "transparency mask" if kind & _MASK else "image in a sub-directory"))
    return found


def _check_whole(tiff: Tiff, page: Directory) -> None:
    """Refuse a truncated page: libtiff fills the missing pixels with black and only warns."""
    bits = tiff.integer(page, 258, 1) * tiff.integer(page, 277, 1)
    # Uncompressed pixels are never longer than this, whatever their header claims.
    most = (tiff.integer(page, 256, 0) * bits + 7) // 8 * tiff.integer(page, 257, 0)
    bare = tiff.integer(page, 259, 1) == 1 and 324 not in page
    for where, size in ((273, 279), (324, 325)):
        places, sizes = tiff.integers(page, where), tiff.integers(page, size)
        for place, length in zip(places, sizes, strict=False):
            end = place + (min(length, most) if bare else length)
            if end > len(tiff.data):
                raise DamagedFile(f"it is cut short: its pixels end at byte {end} of {len(tiff.data)}")


def _planes(tiff: Tiff, tags: Directory) -> list[TiffPage]:
    """The planes of a stack that has one directory for all of them; [] if it is an ordinary page."""
    offsets, sizes = tiff.integers(tags, 273), tiff.integers(tags, 279)
    count = _announced(tiff, tags)
    if count < 2 or not offsets or not sizes or tiff.integer(tags, 259, 1) != 1:
        return []
    bits = tiff.integer(tags, 258, 1)
    width, height, values = (tiff.integer(tags, tag, 1) for tag in (256, 257, 277))
    size = -(-width * values * bits // 8) * height
    if any(
        offset + length != following for offset, length, following in zip(offsets, sizes, offsets[1:], strict=False)
    ):
        return []
    if offsets[0] + count * size > len(tiff.data):
        raise DamagedFile(f"it announces {counted(count, 'image')}, and its pixels end before the last")
    return [
        TiffPage(
            None,
            (tags if index == 0 else _bare(tags))
            | {273: _one(tiff, offsets[0] + index * size), 279: _one(tiff, size), 278: _one(tiff, height)},
        )
        for index in range(count)
    ]


def _bare(tags: Directory) -> Directory:
    """The tags of a plane after the first, which does not repeat the description of the stack."""
    return {tag: entry for tag, entry in tags.items() if tag not in (270, imagej.COUNTS, imagej.DATA)}


def _one(tiff: Tiff, value: int) -> Entry:
    return sized_integers(tiff.order, [value], big=True)


def _announced(tiff: Tiff, tags: Directory) -> int:
    """How many images the description of the only directory announces."""
    description = tags[270].raw if 270 in tags else b""
    if imagej.accepts(description):
        found = imagej.value(description, b"images")
        return int(found) if found.isdigit() and len(found) < 7 else 1
    if not description.startswith(b'{"shape":'):
        return 1
    try:
        content = json.loads(description.rstrip(b"\0"))
        sides = [int(side) for side in content["shape"]]
        whole = tiff.integer(tags, 256, 0) * tiff.integer(tags, 257, 0) * tiff.integer(tags, 277, 1)
        return math.prod(sides) // whole if content.get("truncated") else 1
    except (ValueError, KeyError, TypeError):
        return 1
