"""What a person expects to be read in a folder: the one rule of upscaling, training and evaluation.

A file is an image or a video that is read, or one that is not read (and must then be named), or none of both, such as a
text or what a system puts into folders, which is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from hyperacuity.formats import files, table, video
from hyperacuity.formats.content import HEAD, Content
from hyperacuity.formats.dicom.recognition import accepts as is_dicom
from hyperacuity.formats.nifti.recognition import accepts as is_nifti
from hyperacuity.formats.nifti.recognition import is_header_of_pair
from hyperacuity.formats.raster.recognition import accepts as is_raster
from hyperacuity.formats.raster.recognition import is_envi_header

# Files and folders that systems and programs create without being asked. Hidden ones need no entry.
CLUTTER = (
    "@eadir",  # Synology's thumbnails
    "__macosx",
    "$recycle.bin",
    "#recycle",
    "system volume information",
    "lost+found",
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "icon\r",
    "picasa.ini",
    "zbthumbnail.info",
)
# Images of formats that may not be read: those of cameras, of editors, and others.
FOREIGN_IMAGES = (
    *(".heic", ".heif", ".hif", ".heics", ".heifs", ".avci", ".jxl", ".jxr", ".wdp", ".hdp", ".bpg", ".flif", ".qoi"),
    *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".rwl", ".raw"),
    *(".pef", ".ptx", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".mef", ".mos", ".erf", ".kdc", ".dcr", ".k25", ".gpr"),
    *(".psd", ".psb", ".xcf", ".kra", ".ora", ".clip", ".afphoto", ".pdn", ".procreate", ".sai", ".sai2", ".pxd"),
    *(".exr", ".hdr", ".tga", ".ico", ".cur", ".icns", ".dds", ".pcx", ".sgi", ".rgb", ".ras", ".xbm", ".xpm", ".pict"),
    *(".dcm", ".dicom", ".fits", ".fts", ".nii", ".czi", ".lif", ".nd2", ".svs", ".ndpi", ".djvu", ".djv"),
)
# Documents that consist of images or drawings.
FOREIGN_DOCUMENTS = (".pdf", ".svg", ".svgz", ".ai", ".eps", ".ps", ".cdr", ".indd", ".cbz", ".cbr", ".cb7", ".epub")
# Side files and leftovers, whose content may be that of an image.
_SIDE_FILES = (".thm", ".lrv", ".lrf", ".bak", ".old", ".orig", ".tmp", ".temp", ".part", ".crdownload", ".download")
# Endings beyond those of `video` that a video may have; its content decides. Sound and subtitles have similar contents.
_PERHAPS_VIDEO = ("", ".dat", ".mod", ".tod", ".dav", ".insv", ".360", ".trec", ".xvid")


class Expected(Enum):
    """What a file in a folder is to a person who looks at it."""

    IMAGE = "image"
    VIDEO = "video"
    FOREIGN_IMAGE = "image of a format that may not be read"
    DOCUMENT = "document"
    NOTHING = "nothing"


def is_clutter(path: Path) -> bool:
    """Returns whether a path, relative to the folder that is searched, is hidden or of the system's own making."""
    return any(part.startswith(".") or part.lower() in CLUTTER for part in path.parts if part != "..")


def is_system_file(path: Path) -> bool:
    """Returns whether a name is one that systems give: clutter also where a person names the file, such as by `*`."""
    return path.name.startswith("._") or path.name.lower() in (*CLUTTER, ".ds_store", ".nomedia")


def is_foreign(path: Path) -> bool:
    """Returns whether the ending of a name is that of a format that may not be read."""
    return path.suffix.lower() in (*FOREIGN_IMAGES, *FOREIGN_DOCUMENTS)


def classify(path: Path) -> Expected:
    """Returns what a file is, by the ending of its name, and by its first bytes where that does not tell.

    Args:
        path: A file that is not clutter; see `is_clutter`.
    """
    ending = path.suffix.lower()
    if files.readable(path):
        return Expected.IMAGE
    if ending in video.SUFFIXES or ending in video.ONLY_READ:
        # ".ts" and ".mts" are also endings of programs' source text.
        return Expected.NOTHING if _is_text(_head(path)) and not files.is_video(path) else Expected.VIDEO
    if ending == ".hdr" and _is_header(path):
        return Expected.NOTHING  # the file of values is the image
    if ending in FOREIGN_IMAGES:
        return Expected.FOREIGN_IMAGE
    if ending in FOREIGN_DOCUMENTS:
        return Expected.DOCUMENT
    if ending in _SIDE_FILES or ending.endswith(("~", "_original")):
        return Expected.NOTHING
    return _classify_content(path)


def walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Find the files in a folder that are not clutter, following links to folders, each folder once.

    Args:
        folder: The folder.
        recursive: Whether to search the folders in it too.

    Yields:
        Files and broken links, sorted within each folder, and each folder that may not be read.
    """
    unread: list[Path] = []
    seen = {os.path.realpath(folder)}

    def note(error: OSError) -> None:
        unread.append(Path(error.filename))

    for parent, folders, names in os.walk(folder, onerror=note, followlinks=True):
        yield from (Path(parent, name) for name in sorted(names) if not is_clutter(Path(name)))
        below = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(parent, name))
            if recursive and not is_clutter(Path(name)) and real not in seen:
                seen.add(real)
                below.append(name)
        folders[:] = below
    yield from unread


def _classify_content(path: Path) -> Expected:
    if is_header_of_pair(path):
        return Expected.NOTHING
    if is_nifti(path) or is_dicom(path) or is_raster(path):
        return Expected.FOREIGN_IMAGE  # they are no photos; tasks of their own read them
    head = _head(path)
    if not head or _is_text(head):  # netpbm's text forms look like text, and have their endings
        return Expected.NOTHING
    if any(each.accepts(Content(str(path), head, path)) for each in table.FORMATS):
        return Expected.IMAGE
    is_video = path.suffix.lower() in _PERHAPS_VIDEO and files.is_video(path)
    return Expected.VIDEO if is_video else Expected.NOTHING


def _is_header(path: Path) -> bool:
    """Whether a file with the ending of Radiance images is the header of values in another file."""
    return is_header_of_pair(path) or is_envi_header(path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _is_text(head: bytes) -> bool:
    """Whether all bytes are those of text; an empty file is none."""
    return bool(head) and b"\0" not in head and not any(byte < 9 or 13 < byte < 27 for byte in head)
