"""The table of containers: their suffixes, and what each can hold of an encoded video."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hyperacuity.errors import UnsupportedFormat, Use
from hyperacuity.formats.video.codecs import CODECS
from hyperacuity.formats.video.encoder import EncoderTarget

if TYPE_CHECKING:
    import av

# Suffix -> FFmpeg's muxer.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# The clocks of these containers start at arbitrary times; a result starts at 0.
BROADCAST = ("mpegts", "mpeg")
MATROSKA = ("matroska", "webm")
# These cannot store times before 0, where MP4 has the packets that only prime an audio decoder.
NO_NEGATIVE_TIMES = MATROSKA


class Discard:
    """A file that discards what is written to it; to PyAV, one that is `closed` needs no trailer."""

    def __init__(self) -> None:
        self.closed, self._place = False, 0

    def write(self, data: bytes) -> int:
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset if whence == 0 else self._place + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self.closed = True


def open_target(
    path: Path | Discard, kind: str, options: dict[str, str], *, chained: bool = False
) -> av.container.OutputContainer:
    """Open a file to write.

    Args:
        path: The file.
        kind: FFmpeg's muxer.
        options: Of the muxer.
        chained: Put the muxer behind FFmpeg's "tee", which accepts any codec: PyAV itself asks a muxer only for
            official ones, but Matroska holds nearly all sound that AVI and ASF do, by their own numbers. Chapters are
            lost on the way.
    """
    import av

    if not chained:
        return av.open(path if isinstance(path, Discard) else str(path), "w", format=kind, container_options=options)
    settings = ":".join(f"{name}={value}" for name, value in {"f": kind, **options}.items())
    name = "discarded" if isinstance(path, Discard) else re.sub(r"([\\'|\s])", r"\\\1", str(path))
    opener = (lambda url, flags, options: path) if isinstance(path, Discard) else None
    return av.open(f"[{settings}]{name}", "w", format="tee", io_open=opener)


def check_container(path: Path, target: EncoderTarget) -> None:
    """Check that a file of this suffix can hold an encoded video.

    Raises:
        UnsupportedFormat: If it cannot hold the codec.
    """
    import av

    kind = CONTAINERS[path.suffix.lower()]
    name = target.encoding.codec
    codec = CODECS[name]
    with av.open(Discard(), "w", format=kind) as container:
        try:
            container.add_stream(codec.encoder)
        except ValueError as error:
            raise UnsupportedFormat(
                f"{path.suffix} cannot hold {name}; {path.stem}.mkv can, or another codec fits", Use(codec="auto")
            ) from error
