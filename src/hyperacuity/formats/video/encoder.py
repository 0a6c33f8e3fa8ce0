"""An open encoder of FFmpeg."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.formats.video.codecs import CODECS, Codec, Encoding
from hyperacuity.formats.video.ffmpeg import keep_thread_priority
from hyperacuity.formats.video.frames import Array, FrameFormat, to_av
from hyperacuity.formats.video.hdr import HDR_PARAMETERS, HdrMetadata

if TYPE_CHECKING:
    import av


@dataclass(frozen=True)
class EncoderTarget:
    """The video that an encoder makes.

    Attributes:
        encoding: Resolved.
        frame_format: Of the frames it takes.
        time_base: The unit of time stamps, in seconds.
        rate: Frames per second, about.
        aspect: Width of a pixel divided by its height; None if unspecified.
        hdr: HDR10's metadata.
        joinable: Whether viewers join at any key frame (a broadcast), so each key frame must hold the decoder's
            headers.
    """

    encoding: Encoding
    frame_format: FrameFormat
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None = None
    hdr: HdrMetadata | None = None
    joinable: bool = False

    @property
    def codec(self) -> Codec:
        """The line of the encoder in the table of codecs."""
        return CODECS[self.encoding.codec]

    def settings(self) -> dict[str, str]:
        """Returns the settings of FFmpeg's encoder."""
        settings, name = self.encoding.settings(), self.codec.parameters
        if name is not None and self.hdr is not None:
            given = [settings[name]] if name in settings else []
            settings[name] = ":".join([*HDR_PARAMETERS[name](self.hdr), *given])  # the caller wins
        return settings

    def configure(self, context: Any) -> None:
        """Set up an encoder's context, or that of the stream that will hold its packets."""
        import av

        # SVT-AV1 prints to the terminal itself; only this limits it to errors.
        os.environ.setdefault("SVT_LOG", "1")
        context.width, context.height, context.pix_fmt = (
            self.frame_format.width,
            self.frame_format.height,
            self.frame_format.pixel_format,
        )
        context.time_base = self.time_base
        context.options = self.settings()
        if self.joinable:
            context.flags &= ~av.codec.context.Flags.global_header
        else:
            context.flags |= av.codec.context.Flags.global_header
        self.describe(context)

    def describe(self, context: Any) -> None:
        """Set what a stream says of the packets: their rate, colours and shape of pixels."""
        context.framerate = min(self.rate, Fraction(self.codec.fastest))
        colour = self.frame_format.colour
        context.colorspace, context.color_range = colour.matrix, colour.range
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if self.aspect is not None:
            context.sample_aspect_ratio = self.aspect


class Encoder:
    """Frames in, packets out; the first packet is a key frame, and depends on nothing before it.

    Args:
        target: What to make.
        context: Of the stream that will hold the packets, if there is one already.

    Raises:
        UsageError: For settings that FFmpeg does not take.
    """

    def __init__(self, target: EncoderTarget, context: Any = None) -> None:
        import av

        self.target = target
        encoding, frame_format = target.encoding, target.frame_format
        self._context: Any = context or av.CodecContext.create(CODECS[encoding.codec].encoder, "w")
        target.configure(self._context)
        try:
            with keep_thread_priority():
                self._context.open()
        except (av.FFmpegError, ValueError) as error:
            raise UsageError(
                f"{encoding.codec} does not start with {target.settings()} for {frame_format.width}x"
                f"{frame_format.height} in {frame_format.pixel_format}; another codec may",
                *(Use(**{name: LEAVE_OUT}) for name in _given(encoding)),
            ) from error
        if unknown := sorted(encoding.options.keys() & self._context.options):  # FFmpeg removes the options it knows
            name = CODECS[encoding.codec].encoder
            raise UsageError(f"{', '.join(unknown)}: {name} has no such option", Use(encoder=LEAVE_OUT))

    def encode(self, planes: tuple[Array, ...], pts: int, *, key: bool = False) -> list[av.Packet[Any]]:
        """Encode one frame.

        Args:
            planes: Of the target's format, or smaller; their last row and column are then repeated.
            pts: When it is shown, in units of the target's time base.
            key: Make it a key frame.

        Returns:
            The packets that are ready.
        """
        import av

        whole = tuple(
            _padded(plane, shape) for plane, shape in zip(planes, self.target.frame_format.shapes, strict=True)
        )
        frame = to_av(whole, self.target.frame_format, pts, self.target.time_base)
        if key:
            frame.pict_type = av.video.frame.PictureType.I
        packets: list[av.Packet[Any]] = self._context.encode(frame)
        return packets

    def finish(self) -> list[av.Packet[Any]]:
        """Returns the packets that were still held back; nothing can be encoded after that."""
        packets: list[av.Packet[Any]] = self._context.encode(None)
        return packets


def _given(encoding: Encoding) -> list[str]:
    """The settings that differ from the codec's defaults, by the names of their options."""
    codec = CODECS[encoding.codec]
    differs = {
        "crf": encoding.crf != codec.crf,
        "preset": encoding.preset != codec.preset,
        "encoder": bool(encoding.options),
    }
    return [name for name in differs if differs[name]]


def _padded(plane: Array, shape: tuple[int, int]) -> Array:
    if plane.shape == shape:
        return plane
    return np.pad(plane, [(0, most - side) for side, most in zip(plane.shape, shape, strict=True)], mode="edge")
