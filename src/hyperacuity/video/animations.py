"""Animated images (GIF, WebP, PNG) as videos: their frames are written, without loss, to a temporary file."""

from __future__ import annotations

import shutil
import tempfile
import warnings
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity import formats
from hyperacuity.formats.photo.fitting import lost_metadata
from hyperacuity.formats.protocol import Capacity, LossWarning
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import Part
from hyperacuity.image import Header, Image

# Browsers show frames of 10 ms and less, which are mistakes of old programs, for this long, in milliseconds.
_SHORTEST, _USUAL = 10, 100
# What a video holds of the metadata of an image: nothing.
_VIDEO = Capacity(name="a video", animated=True)


class AnimationSource(VideoSource):
    """The frames of an animated image, each with its own duration.

    Args:
        path: The image.
        part: The part to read.
        strict: As `VideoSource` has it.
    """

    def __init__(self, path: Path, *, part: Part, strict: bool) -> None:
        folder = tempfile.mkdtemp(prefix="hyperacuity-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        frames = Path(folder, "frames.mov")
        _store(path, frames)
        super().__init__(frames, part=part, strict=strict)
        self.name, self._image = str(path), path

    def identity(self) -> list[Any]:
        """Returns an identifier of the image."""
        return self.fingerprint(self._image)


def _store(path: Path, target: Path) -> None:
    """Write the frames of an image to a video, as PNG."""
    import av

    time, clear = 0, False
    stream: Any = None
    options = {"video_track_timescale": "1000"}
    with formats.read(path) as source, av.open(str(target), "w", format="mov", container_options=options) as container:
        for image in source:
            clear |= image.header.alpha and bool((image.pixels[..., -1] < image.header.levels[1]).any())
            pixels = _opaque(image)
            kind = {1: ("gray", "rgb24"), 2: ("gray16be", "rgb48be")}[pixels.itemsize][pixels.ndim - 2]
            if stream is None:
                _warn_of_metadata(path, image.header)
                stream = _add_stream(container, pixels.shape, kind)
            frame = av.VideoFrame.from_ndarray(pixels, format=kind)
            duration = round(1000 * (image.header.duration or 0))
            duration = duration if duration > _SHORTEST else _USUAL
            frame.pts, frame.time_base, frame.duration = time, Fraction(1, 1000), duration
            time += duration
            for packet in stream.encode(frame):
                packet.duration = duration
                container.mux(packet)
        container.mux(stream.encode(None))
    if clear:
        warnings.warn(LossWarning(f"{path}: videos keep no alpha; its frames are laid over white"), stacklevel=4)


def _add_stream(container: Any, shape: tuple[int, ...], kind: str) -> Any:
    stream = container.add_stream("png", rate=25, options={"compression_level": "1"})
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = kind
    stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
    return stream


def _opaque(image: Image) -> Any:
    """The pixels as integers, over white where they are transparent; (H, W) of grey."""
    black, white = image.header.levels
    shown = (image.pixels.astype(np.float32) - black) / (white - black)
    if image.header.alpha:
        shown = 1 - (1 - shown[..., :-1]) * shown[..., -1:]
    depth = np.uint8 if image.pixels.itemsize == 1 else np.uint16
    codes = np.clip(shown * np.iinfo(depth).max + np.float32(0.5), 0, np.iinfo(depth).max).astype(depth)
    return codes[..., 0] if codes.shape[-1] == 1 else codes


def _warn_of_metadata(path: Path, header: Header) -> None:
    """Name what a video does not hold of an image."""
    for loss in lost_metadata(_VIDEO, header):
        warnings.warn(LossWarning(f"{path}: {loss}"), stacklevel=5)
