"""Files in, files out. A format is one module with the same names, and one line in `FORMATS`:

    SUFFIXES, READS      the endings it writes, lower case with the dot; the kinds it reads, in words
    ONLY_READ            more endings, of what it reads and does not write
    accepts(head)        whether these first bytes are its own; the ending of a file's name never decides
    read(data)           a `Source`: images of a file, one after another
    write(path, like)    a `Sink` that carries over what the source `like` says of itself

Codecs are imported when a file is opened, not before. The other modules here serve the formats: `seam` says what a
source and a sink are, `partial` writes a file under a temporary name.

Videos are more than images one after another, and have a package of their own, `video`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import ModuleType

from hyperacuity.errors import DamagedFile, UnsupportedFormat, UsageError, nearest
from hyperacuity.formats import photo, video
from hyperacuity.formats.protocol import LossWarning, Sink, Source

__all__ = [
    "FORMATS",
    "HEAD",
    "LossWarning",
    "Sink",
    "Source",
    "is_video",
    "knows",
    "names_video",
    "read",
    "readable",
    "suffixes",
    "write",
]

FORMATS: tuple[ModuleType, ...] = (photo,)
# How much of a file `accepts` gets to see.
HEAD = 4096

# What files that we do not read look like: their first bytes, and from which byte on.
_FOREIGN = (
    (0, b"%PDF", "a PDF document; export its pictures first"),
    (0, b"PK\3\4", "a ZIP archive (or a DOCX, XLSX, CBZ ... document); unpack it first"),
    (0, b"\x1f\x8b", "a gzip archive; unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (0, b"Rar!", "a RAR archive; unpack it first"),
    (8, b"WAVE", "a sound file"),
    (0, b"ID3", "a sound file"),
    (0, b"fLaC", "a sound file"),
    (0, b"8BPS", "a Photoshop document; save a flattened copy as TIFF or PNG"),
    (0, b"\0\0\1\0", "an icon; convert it to PNG first"),
    (0, b"\xff\x0a", "a JPEG XL picture; convert it to PNG first"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture; convert it to PNG first"),
    (0, b"v/1\1", "an OpenEXR picture; convert it to a float TIFF first"),
    (0, b"#?RADIANCE", "a Radiance HDR picture; convert it to a float TIFF first"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"%!PS", "a PostScript document"),
    (128, b"DICM", "a DICOM file"),
    (0, b"\x80\2", "a pickle, perhaps a PyTorch checkpoint"),
    (4, b"ftypheic", "a HEIC photo, whose codec is patented; convert it to JPEG, PNG or AVIF first"),
    (4, b"ftypheix", "a HEIC photo, whose codec is patented; convert it to JPEG, PNG or AVIF first"),
    (4, b"ftypmif1", "a HEIF photo; convert it to JPEG, PNG or AVIF first"),
)


def read(data: Path | bytes) -> Source:
    """Open a file, or the bytes of one, by its content.

    Raises: `UsageError` where no file can be opened, `UnsupportedFormat` for content of another kind, `DamagedFile`.
    """
    if isinstance(data, bytes):
        name, head = "the data", data[:HEAD]
    else:
        name = str(data)
        try:
            if data.is_dir() and not os.access(data, os.R_OK | os.X_OK):
                raise UsageError(f"{name} may not be read; check its permissions")
            if not stat.S_ISREG(data.stat().st_mode):
                kind = "a folder" if data.is_dir() else "no regular file"
                raise UsageError(f"{name} is {kind}; give a file (the bytes of a pipe can be given as they are)")
            with open(data, "rb") as file:
                head = file.read(HEAD)
        except UsageError:
            raise
        except FileNotFoundError as error:
            raise UsageError(f"{name} does not exist") from error
        except PermissionError as error:
            raise UsageError(f"{name} may not be read; check its permissions") from error
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise UsageError(f"{name} cannot be opened: {error}") from error
    if not head:
        raise DamagedFile(f"{name} is empty")
    for module in FORMATS:
        if module.accepts(head):
            source: Source = module.read(data)
            return source
    if video.accepts(head):
        raise UnsupportedFormat(
            f"{name} is a video: give the file itself to `hyperacuity upscale`, or to video.upscale"
        )
    raise UnsupportedFormat(f"{name} is {_looks_like(head)}; what is read: {', '.join(m.READS for m in FORMATS)}")


def write(path: Path, like: Source | None, *, quality: int | None = None) -> Sink:
    """A sink for a file of the kind that its name's ending says; `like` is the source its images come from.

    quality: 1 to 100 for lossy formats, 100 meaning lossless where the format can; None leaves it to the format.
    Raises: `UnsupportedFormat` for other endings, `UsageError` where the format cannot hold what `like` is.
    """
    suffix = path.suffix.lower()
    for module in FORMATS:
        if suffix in module.SUFFIXES:
            sink: Sink = module.write(path, like, quality=quality)
            return sink
    if names_video(path):
        raise UnsupportedFormat(f"{path} names a video, and this is a picture: give it the ending of one, such as .png")
    what = "is a folder" if path.is_dir() else f"ends in {suffix!r}" if suffix else "has no ending"
    raise UnsupportedFormat(
        f"{path} {what}; give a file whose ending names a format that is written: {', '.join(suffixes())}"
        + nearest(suffix, suffixes())
    )


def knows(path: Path) -> bool:
    """Whether the name's ending is one that some format writes."""
    return path.suffix.lower() in suffixes()


def readable(path: Path) -> bool:
    """Whether the name's ending is that of a format that is read (for searching folders, where content is not)."""
    return knows(path) or any(path.suffix.lower() in module.ONLY_READ for module in FORMATS)


def names_video(path: Path) -> bool:
    """Whether the name's ending is that of a video that can be written."""
    return path.suffix.lower() in video.SUFFIXES


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its first bytes."""
    try:
        with path.open("rb") as file:
            return video.accepts(file.read(HEAD))
    except OSError:
        return False  # whoever reads it says what is wrong


def suffixes() -> list[str]:
    """Every ending of a picture that can be written."""
    return [suffix for module in FORMATS for suffix in module.SUFFIXES]


def _looks_like(head: bytes) -> str:
    for at, magic, what in _FOREIGN:
        if head[at : at + len(magic)] == magic:
            return what
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:400].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return "an HTML page, perhaps of a download that failed; download the file itself"
    if b"<svg" in start:
        return "an SVG drawing, which can be drawn at any size without us"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file itself with `git lfs pull`"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "text"
    return "of no kind that we know"
