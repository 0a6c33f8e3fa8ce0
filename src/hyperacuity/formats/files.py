"""Open files and create them, each by the format that the one table names for it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hyperacuity.errors import HyperacuityError, UnsupportedFormat, nearest
from hyperacuity.formats import foreign, table, video
from hyperacuity.formats.content import open_content
from hyperacuity.formats.photo import glib
from hyperacuity.formats.protocol import Sink, Source
from hyperacuity.formats.video.patterns import is_pattern
from hyperacuity.image import Item, RowSource


def read(data: Path | bytes, *, strict: bool = False) -> Source:
    """Open a file, or the bytes of one, by its content.

    Args:
        data: The path of a file, or the bytes of one.
        strict: Whether a JPEG or PNG that lacks only its end marker is damaged; else it is read with a warning.

    Returns:
        A source whose images are decoded as they are asked for.

    Raises:
        UsageError: If the file cannot be opened.
        UnsupportedFormat: If no format accepts it.
        DamagedFile: If its headers are damaged.
    """
    content = open_content(data, strict=strict)
    for each in table.FORMATS:
        if each.accepts(content):
            return each.read(content)
    if foreign.known(content.head) is None and video.accepts(content.head, content.data):
        raise UnsupportedFormat(f"{content.name} is a video: use video.upscale, which reads its frames")
    known = ", ".join(name for each in table.FORMATS for name in each.READS)
    reads = f"{known}; {video.READS}; measurements: DICOM, NIfTI, GeoTIFF and other rasters"
    raise UnsupportedFormat(f"{content.name} is {foreign.describe(content.head)}; what is read: {reads}")


def size_in_header(path: Path) -> tuple[int, int] | None:
    """Returns (height, width) as an image file states it, not turned upright; None for what is no image.

    Nothing is decoded, and the limits of pixels do not count.
    """
    import pyvips

    from hyperacuity.formats.photo import pillow

    glib.silence_terminal()
    if size := pillow.read_header(path, lambda image: (image.height, image.width)):
        return size
    with contextlib.suppress(HyperacuityError, pyvips.Error):  # such as TIFF files of floats
        raw = open_content(path).whole()
        found = pyvips.Image.new_from_source(pyvips.Source.new_from_memory(raw), "", access="sequential")
        return found.height, found.width
    return None


def row_source(path: Path) -> RowSource | None:
    """Open an image whose rows can be read in any order, so that nothing else is decoded; None for all other files.

    These are TIFF files of one page, in strips or tiles, without compression or with deflate. The header has no
    metadata.

    Raises:
        UsageError: If the file cannot be opened.
        DamagedFile: If its headers are damaged.
    """
    content = open_content(path)
    if next((each.READS for each in table.FORMATS if each.accepts(content)), None) != ("TIFF",):
        return None
    from hyperacuity.formats.photo import tiff_rows

    return tiff_rows.row_source(content)


def list_items(data: Path | bytes) -> tuple[Item, ...]:
    """List everything that an image file holds besides its main pixels, without decoding them.

    Args:
        data: The path of a file, or the bytes of one.

    Raises:
        UsageError: If the file cannot be opened.
        UnsupportedFormat: If no format accepts it.
        DamagedFile: If its structure is damaged.
    """
    content = open_content(data)
    for each in table.FORMATS:
        if each.accepts(content):
            return each.inventory(content)
    raise UnsupportedFormat(f"{content.name} is {foreign.describe(content.head)}")


def write(path: Path, like: Source | None, *, quality: int | None = None) -> Sink:
    """Return a sink for a file, in the format that the ending of its name selects.

    Args:
        path: The file to write.
        like: The source of the images, whose metadata is carried over.
        quality: 1 to 100 for lossy formats, 100 meaning lossless where the format can; None for its default.

    Raises:
        UnsupportedFormat: If no format has this ending.
        UsageError: If the format cannot hold the frames or pages of `like`.
    """
    suffix = path.suffix.lower()
    for each in table.FORMATS:
        if suffix in each.SUFFIXES or (suffix in each.ONLY_READ and each.HOLDS is None):
            return each.write(path, like, quality=quality)
    if names_video(path):
        raise UnsupportedFormat(f"{path} names a video, and this is an image: give it an image's ending, such as .png")
    what = "is a folder" if path.is_dir() else f"ends in {suffix!r}" if suffix else "has no ending"
    raise UnsupportedFormat(
        f"{path} {what}; give a file whose ending names a format that is written: {', '.join(table.suffixes())}"
        + nearest(suffix, table.suffixes())
    )


def knows(path: Path) -> bool:
    """Return whether some format writes files of this ending."""
    return path.suffix.lower() in table.suffixes()


def readable(path: Path) -> bool:
    """Return whether some format reads files of this ending (for searching folders, without opening files)."""
    return knows(path) or any(path.suffix.lower() in each.ONLY_READ for each in table.FORMATS)


def names_video(path: Path) -> bool:
    """Return whether the name has the ending of a video that can be written."""
    return path.suffix.lower() in video.SUFFIXES


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by its content."""
    try:
        content = open_content(path)
    except HyperacuityError:
        return False  # opening it raises the error
    images = (each.accepts(content) for each in table.FORMATS)
    known = foreign.known(content.head) is not None
    return not any(images) and not known and video.accepts(content.head, content.data)


def is_video_or_frames(path: Path) -> bool:
    """Return whether a path is a video file, by its content, or a pattern of frames such as "frames/%06d.png"."""
    return is_pattern(path) or is_video(path)


def is_animation(path: Path) -> bool:
    """Return whether a file is an image that moves, by its content."""
    try:
        with read(path) as source:
            return source.frames > 1 and source.loop is not None
    except HyperacuityError:
        return False  # opening it raises the error


def ending(path: Path) -> str:
    """Returns the ending for the result of a file: its own if it names a format, else that of its content."""
    return path.suffix if knows(path) else ending_of_content(path)


def ending_of_content(data: Path | bytes) -> str:
    """Returns the ending that fits the content of a file, or the bytes of one, such as ".png"."""
    with read(data) as source:
        return source.suffix
