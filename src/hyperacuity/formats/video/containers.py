"""The table of containers: their suffixes, and what each can hold of an encoded video."""

from __future__ import annotations

import warnings
from pathlib import Path

from hyperacuity.errors import UnsupportedFormat, Use
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import CODECS
from hyperacuity.formats.video.encoder import EncoderTarget

# Suffix -> FFmpeg's muxer.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# The clocks of these containers start at arbitrary times; a result starts at 0.
BROADCAST = ("mpegts", "mpeg")
# These cannot store times before 0, where MP4 has the packets that only prime an audio decoder.
NO_NEGATIVE_TIMES = ("matroska", "webm")


class _Discard:
    """A file that discards what is written to it."""

    def write(self, data: bytes) -> int:
        return len(data)


def check_container(path: Path, target: EncoderTarget) -> None:
    """Warn of what a file of this suffix loses of an encoded video.

    Raises:
        UnsupportedFormat: If it cannot hold the codec at all.
    """
    import av

    kind = CONTAINERS[path.suffix.lower()]
    name = target.encoding.codec
    codec = CODECS[name]
    with av.open(_Discard(), "w", format=kind) as container:
        try:
            container.add_stream(codec.encoder)
        except ValueError as error:
            raise UnsupportedFormat(
                f"{path.suffix} cannot hold {name}; {path.stem}.mkv can, or another codec fits", Use(codec="auto")
            ) from error
    # PyAV does not pass the pixel aspect ratio to Matroska's muxer, so only codecs that store it themselves keep it.
    if kind in NO_NEGATIVE_TIMES and target.aspect not in (None, 1) and not codec.stores_aspect:
        message = (
            f"{path}: its pixels have an aspect ratio of {target.aspect}, which {name} cannot store in {path.suffix}; "
            f"{path.stem}.mp4 can, or another codec"
        )
        warnings.warn(LossWarning(message), stacklevel=3)
