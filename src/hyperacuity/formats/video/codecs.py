"""Encoders: what each can hold, and how it is set up. To add one: a line in `CODECS`."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperacuity.errors import UsageError, nearest
from hyperacuity.formats.video.frames import BT709, Array, Colour, Layout, Screen, to_av

if TYPE_CHECKING:
    import av

DEPTHS = (8, 9, 10, 12, 14, 16)
# What R, G, B becomes: Y, Cb, Cr of BT.709 in studio range, and it is said so.
FROM_RGB = Colour(BT709, BT709, BT709, 1)


@dataclass(frozen=True)
class Codec:
    """One of FFmpeg's encoders. crf: quality without another being asked for, smaller is better; None for lossless.

    even: whether sides must be whole chroma samples. tells_aspect: whether its own head says what shape pixels have.
    parameters: FFmpeg's option for what only the encoder knows, among it HDR10's screen.
    """

    encoder: str
    crf: float | None
    preset: str | None
    even: bool = False
    tells_aspect: bool = False
    parameters: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


# The presets are those beyond which time grows faster than files shrink.
CODECS = {
    "h264": Codec("libx264", 17, "veryfast", even=True, tells_aspect=True, parameters="x264-params"),
    "h265": Codec(
        "libx265",
        19,
        "fast",
        even=True,
        tells_aspect=True,
        parameters="x265-params",
        options={"x265-params": "log-level=error"},
    ),
    "av1": Codec("libsvtav1", 24, "8", parameters="svtav1-params"),
    "ffv1": Codec("ffv1", None, None, options={"level": "3", "slicecrc": "1"}),
}
_ALIASES = {"hevc": "h265", "avc": "h264", "x264": "h264", "x265": "h265"} | {
    codec.encoder: name for name, codec in CODECS.items()
}


@dataclass(frozen=True)
class Encoding:
    """What was asked of the encoder; None = the codec's own. options: FFmpeg's, such as {"tune": "video"}."""

    codec: str = "auto"
    crf: float | None = None
    preset: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def resolved(self, suffix: str) -> Encoding:
        """With nothing left open, for a file of this ending. Raises `UsageError` for a codec that is not there."""
        name = self.codec.lower()
        if name == "auto":
            name = "av1" if suffix == ".webm" else "h264"
        name = _ALIASES.get(name, name)
        if name not in CODECS:
            raise UsageError(f"no codec {self.codec!r}; there are {', '.join(CODECS)}{nearest(name, CODECS)}")
        codec = CODECS[name]
        for wish, value in (("crf", self.crf), ("preset", self.preset)):
            if value is not None and getattr(codec, wish) is None:
                raise UsageError(f"{name} is lossless and has no {wish}: leave --{wish} out")
        crf = codec.crf if self.crf is None else self.crf
        preset = codec.preset if self.preset is None else self.preset
        return Encoding(name, crf, preset, self.options)

    def settings(self) -> dict[str, str]:
        """As FFmpeg takes them."""
        codec = CODECS[self.codec]
        named = {"crf": None if self.crf is None else f"{self.crf:g}", "preset": self.preset}
        return (
            {key: value for key, value in named.items() if value is not None} | dict(codec.options) | dict(self.options)
        )


def fitting(look: Layout, encoding: Encoding) -> Layout:
    """The layout nearest to `look` that the encoder takes: the same, else finer, else coarser; sides made whole."""
    import av

    codec = CODECS[encoding.codec]
    known = {kind.name for kind in av.Codec(codec.encoder, "w").video_formats or ()}
    if look.rgb:
        look = replace(look, chroma=(1, 1) if codec.crf is None else (2, 2), colour=FROM_RGB)
    chosen = next(one for one in _candidates(look) if one.format in known)
    if codec.even and chosen.chroma is not None:
        down, across = chosen.chroma
        chosen = chosen.resized(-(-look.height // down) * down, -(-look.width // across) * across)
    return chosen


def losses(look: Layout, stored: Layout) -> list[str]:
    """What a layout loses against another, in words."""
    lost = []
    if look.rgb and not stored.rgb:
        lost.append(f"R, G, B is stored as {stored.format}")
    elif look.chroma is not None and stored.chroma is not None and look.chroma < stored.chroma:
        lost.append(f"its chroma, in {look.format}, is stored as {stored.format}")
    if stored.depth < look.depth:
        lost.append(f"{stored.depth} of its {look.depth} bits are kept")
    if (look.height, look.width) != (stored.height, stored.width):
        lost.append(
            f"{look.width}x{look.height} is no size for this codec in {stored.format}; the last row or column is "
            f"repeated to {stored.width}x{stored.height}"
        )
    return lost


def _candidates(look: Layout) -> Iterator[Layout]:
    depths = sorted(DEPTHS, key=lambda depth: (depth < look.depth, abs(depth - look.depth)))
    chromas: list[tuple[int, int] | None] = [look.chroma]
    if look.chroma is not None:
        finer = [one for one in ((1, 2), (1, 1)) if one[0] <= look.chroma[0] and one[1] <= look.chroma[1]]
        chromas += finer
    for chroma in [*chromas, (2, 2)]:
        for depth in depths:
            yield replace(look, chroma=chroma, depth=depth)


def _by_x265(screen: Screen) -> list[str]:
    """In units of 0.00002, and of 0.0001 cd/m2."""
    said = []
    if screen.primaries is not None and screen.luminance is not None:
        red, green, blue, white = ((round(x * 50_000), round(y * 50_000)) for x, y in screen.primaries)
        least, most = (round(value * 10_000) for value in screen.luminance)
        points = f"G({green[0]},{green[1]})B({blue[0]},{blue[1]})R({red[0]},{red[1]})WP({white[0]},{white[1]})"
        said.append(f"master-display={points}L({most},{least})")
    if screen.light is not None:
        said.append(f"max-cll={screen.light[0]},{screen.light[1]}")
    return [*said, "hdr10=1"]


def _by_x264(screen: Screen) -> list[str]:
    names = {"master-display": "mastering-display", "max-cll": "cll"}
    said = (one.split("=") for one in _by_x265(screen))
    return [f"{names[name]}={value}" for name, value in said if name in names]


def _by_svt_av1(screen: Screen) -> list[str]:
    said = []
    if screen.primaries is not None and screen.luminance is not None:
        red, green, blue, white = (f"({float(x):.5f},{float(y):.5f})" for x, y in screen.primaries)
        least, most = screen.luminance
        said.append(f"mastering-display=G{green}B{blue}R{red}WP{white}L({float(most):.4f},{float(least):.4f})")
    if screen.light is not None:
        said.append(f"content-light={screen.light[0]},{screen.light[1]}")
    return said


# How each encoder is told of HDR10's screen, by the option that tells it.
_SCREENS = {"x264-params": _by_x264, "x265-params": _by_x265, "svtav1-params": _by_svt_av1}


@dataclass(frozen=True)
class Target:
    """What an encoder is to make: of which layout, in which unit of time, at about which rate; aspect: of a pixel;
    screen: HDR10's.

    joined: may be seen from any key frame on (a broadcast), so that each says all that a decoder needs to begin.
    """

    encoding: Encoding
    look: Layout
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None = None
    screen: Screen | None = None
    joined: bool = False

    def settings(self) -> dict[str, str]:
        """For FFmpeg's encoder."""
        settings, name = self.encoding.settings(), CODECS[self.encoding.codec].parameters
        if name is not None and self.screen is not None:
            known = [settings[name]] if name in settings else []
            settings[name] = ":".join([*_SCREENS[name](self.screen), *known])  # what was asked for comes last and wins
        return settings

    def configure(self, context: Any) -> None:
        """Set up an encoder, or the stream of a file that shall hold its packets."""
        import av

        # SVT-AV1 prints on its own; only this keeps it to errors.
        os.environ.setdefault("SVT_LOG", "1")
        context.width, context.height, context.pix_fmt = self.look.width, self.look.height, self.look.format
        context.time_base, context.framerate = self.time_base, self.rate
        context.options = self.settings()
        if self.joined:
            context.flags &= ~av.codec.context.Flags.global_header
        else:
            context.flags |= av.codec.context.Flags.global_header
        colour = self.look.colour
        context.colorspace, context.color_range = colour.matrix, colour.range
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if self.aspect is not None:
            context.sample_aspect_ratio = self.aspect


class Encoder:
    """Frames in, packets out; each opens with a key frame and looks at nothing before it.

    context: of the stream that is to hold the packets, where there is one already.

    Raises `UsageError` for settings that FFmpeg does not take.
    """

    def __init__(self, target: Target, context: Any = None) -> None:
        import av

        self.target = target
        encoding, look = target.encoding, target.look
        self._context: Any = context or av.CodecContext.create(CODECS[encoding.codec].encoder, "w")
        target.configure(self._context)
        try:
            with same_priority():
                self._context.open()
        except (av.FFmpegError, ValueError) as error:
            raise UsageError(
                f"{encoding.codec} does not start with {target.settings()} for {look.width}x{look.height} "
                f"in {look.format}: leave out --crf, --preset or -e, or take another --codec"
            ) from error
        if unknown := sorted(encoding.options.keys() & self._context.options):  # those that nobody took
            raise UsageError(f"-e {', '.join(unknown)}: {CODECS[encoding.codec].encoder} has no such option")

    def encode(self, planes: tuple[Array, ...], pts: int, *, key: bool = False) -> list[av.Packet[Any]]:
        """The packets that are ready; `planes` may be smaller than the layout, their last row and column go on.

        key: make it a key frame.
        """
        import av

        whole = tuple(_grown(plane, shape) for plane, shape in zip(planes, self.target.look.shapes, strict=True))
        frame = to_av(whole, self.target.look, pts, self.target.time_base)
        if key:
            frame.pict_type = av.video.frame.PictureType.I
        packets: list[av.Packet[Any]] = self._context.encode(frame)
        return packets

    def finish(self) -> list[av.Packet[Any]]:
        """The packets that were still held back."""
        packets: list[av.Packet[Any]] = self._context.encode(None)
        return packets


@contextlib.contextmanager
def same_priority() -> Iterator[None]:
    """Leave the thread that opens an encoder, and those that it begins, with the priority of the first.

    SVT-AV1, run by root, makes all of them real-time threads of the highest priority, and the machine stands still.
    """
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = {task.name for task in tasks.iterdir()} - {str(threading.get_native_id())}
    try:
        yield
    finally:
        for name in {task.name for task in tasks.iterdir()} - before:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.sched_setscheduler(int(name), policy, parameters)


def _grown(plane: Array, shape: tuple[int, int]) -> Array:
    if plane.shape == shape:
        return plane
    return np.pad(plane, [(0, most - side) for side, most in zip(plane.shape, shape, strict=True)], mode="edge")
