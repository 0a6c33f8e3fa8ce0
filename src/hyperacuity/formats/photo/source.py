"""Reading: bytes -> images, with everything the file says beside them."""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from hyperacuity.errors import DamagedFile, OutOfMemory, UnsupportedFormat, UsageError
from hyperacuity.formats.photo import by_pillow, by_vips, netpbm, png
from hyperacuity.formats.photo.decoding import Bytes, Contents, check_size
from hyperacuity.image import Image

# What is read and not written, and the ending that its copy gets.
_REWRITTEN = {".jp2": ".png", ".pam": ".png"}
# Up to so many bytes a file is copied into memory: a mapped one that is cut short, or whose disk is pulled out, while
# it is read ends the whole process (SIGBUS).
COPIED = 64 << 20
# How libvips and the codecs below it say so.
NO_MEMORY = re.compile("out of memory|insufficient memory|cannot allocate memory", re.IGNORECASE)


class Photo:
    """A `Source` of the images in one file.

    suffix: an ending that can be written. lossless: the pixels are as they were before the file was written.
    """

    def __init__(self, name: str, suffix: str, contents: Contents) -> None:
        self.name = name
        self.suffix = suffix
        self.frames = contents.frames
        self.loop = contents.loop
        self.lossless = contents.lossless
        self._contents: Contents | None = contents

    def __iter__(self) -> Iterator[Image]:
        if self._contents is None:
            raise UsageError(f"{self.name} is closed; open it again to read it")
        with naming(self.name):
            yield from self._contents.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Drops the mapping of the file too, once no decoder holds it.
        self._contents = None


def kind_of(head: bytes) -> str | None:
    """The ending that fits a file's first bytes; None if it is none of ours."""
    if head.startswith(png.SIGNATURE):
        return ".png"
    if head.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return ".tif"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return ".gif"
    if head[:2] == b"BM" and len(head) >= 18 and struct.unpack("<I", head[14:18])[0] < 256:
        return ".bmp"
    if head[4:8] == b"ftyp" and {b"avif", b"avis"} & _brands(head):
        return ".avif"
    if head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return ".jp2"
    netpbm_kind = re.match(rb"P([1-7fF])[\s#]", head)
    if netpbm_kind:
        digit = netpbm_kind[1]
        return ".pfm" if digit in b"fF" else ".pgm" if digit in b"1245" else ".pam" if digit == b"7" else ".ppm"
    return None


def _brands(head: bytes) -> set[bytes]:
    length = min(struct.unpack(">I", head[:4])[0], len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, length - 3, 4)}


def open_photo(data: Path | bytes) -> Photo:
    """Open a file or its bytes, whose first bytes `kind_of` knows; only headers are read.

    A file of more than 64 MiB is mapped, not copied; it must not shrink while it is read.
    Raises: `DamagedFile`, and `UnsupportedFormat`, also for more pixels than `max_pixels()`.
    """
    if isinstance(data, bytes):
        name = "the data"
        raw: Bytes = data
    else:
        name = str(data)
        with open(data, "rb") as file:
            small = os.fstat(file.fileno()).st_size <= COPIED
            raw = file.read() if small else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    suffix = kind_of(raw[:4096])
    if suffix is None:
        raise UnsupportedFormat(f"{name} is no photo that we read")
    with naming(name):
        return Photo(name, _REWRITTEN.get(suffix, suffix), _READERS[suffix](raw))


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the file's name before what is wrong with it, and libvips' errors into our tree."""
    import pyvips

    pyvips.vips_lib.vips_error_clear()
    try:
        yield
    except pyvips.Error as error:
        if NO_MEMORY.search(str(error)):
            raise OutOfMemory(f"{name} does not fit into the memory that is left; close other programs") from error
        raise DamagedFile(f"{name} is damaged: {reason(error)}") from error
    except UnicodeDecodeError as error:  # of what libvips says of it
        raise DamagedFile(f"{name} is damaged: its pixels cannot be decoded") from error
    except DamagedFile as error:
        raise DamagedFile(f"{name} is damaged: {error}") from error
    except UnsupportedFormat as error:
        raise UnsupportedFormat(f"{name} cannot be read: {error}") from error


def reason(error: Exception) -> str:
    """What libvips says, on one line: the last line that says something, since its threads add "load error" or not."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines()[1:] if line.strip()]
    telling = [line for line in lines if not line.endswith("load error")]
    return (telling or lines or ["its pixels cannot be decoded"])[-1]


def _netpbm(raw: Bytes) -> Contents:
    head, start, magic = netpbm.header(raw)
    check_size(head.width, head.height)

    def decode() -> Iterator[Image]:
        yield Image(head, netpbm.pixels(raw, head, start, magic))

    return Contents(1, None, True, decode)


_READERS: dict[str, Callable[[Bytes], Contents]] = {
    ".png": by_vips.png_contents,
    ".jpg": by_vips.jpeg_contents,
    ".webp": by_vips.webp_contents,
    ".tif": by_vips.tiff_contents,
    ".gif": by_pillow.gif_contents,
    ".bmp": by_pillow.bmp_contents,
    ".avif": by_vips.avif_contents,
    ".jp2": by_pillow.jp2_contents,
    ".pgm": _netpbm,
    ".ppm": _netpbm,
    ".pam": _netpbm,
    ".pfm": _netpbm,
}
