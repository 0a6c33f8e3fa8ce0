"""The table of codecs: what each can hold, and how its encoder is set up. To add one: a line in `CODECS`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hyperacuity.errors import LEAVE_OUT, UsageError, Use, nearest
from hyperacuity.formats.video.frames import BT709, ColourCodes, FrameFormat

_DEPTHS = (8, 9, 10, 12, 14, 16)
# The colour of R, G, B after conversion: Y, Cb, Cr of BT.709 in studio range, marked as such.
_FROM_RGB = ColourCodes(BT709, BT709, BT709, 1)


@dataclass(frozen=True)
class Codec:
    """One of FFmpeg's encoders.

    Attributes:
        encoder: FFmpeg's name.
        crf: The default quality on the codec's own scale, smaller is better; None for lossless codecs.
        preset: The default speed; None if the codec has no such setting.
        even: Whether sides must be multiples of a chroma sample.
        parameters: FFmpeg's option for parameters that only the encoder knows, among them HDR10's.
        options: Further settings, as FFmpeg names them.
        alpha: FFmpeg's formats with alpha that every decoder takes; Matroska and WebM keep it.
        fastest: The most frames per second that the encoder accepts; time stamps stay as they are.
    """

    encoder: str
    crf: float | None
    preset: str | None
    even: bool = False
    parameters: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    alpha: tuple[str, ...] = ()
    fastest: int = 1000


# Slower presets than these cost more time than they save in size.
CODECS = {
    # Its code for AVX-512 reads memory that it has not written, so that equal videos get different bytes.
    "h264": Codec(
        "libx264",
        17,
        "veryfast",
        even=True,
        parameters="x264-params",
        options={"x264-params": "cpu-independent=1"},
    ),
    "h265": Codec(
        "libx265",
        19,
        "fast",
        even=True,
        parameters="x265-params",
        options={"x265-params": "log-level=error"},
    ),
    "av1": Codec("libsvtav1", 24, "8", parameters="svtav1-params", fastest=240),
    # Alternate reference frames and alpha exclude one another.
    "vp9": Codec(
        "libvpx-vp9",
        24,
        None,
        options={"deadline": "good", "cpu-used": "4", "row-mt": "1", "auto-alt-ref": "0"},
        alpha=("yuva420p",),
    ),
    "ffv1": Codec(
        "ffv1",
        None,
        None,
        options={"level": "3", "slicecrc": "1"},
        alpha=tuple(f"yuva{chroma}p{depth}" for chroma in (420, 422, 444) for depth in ("", "10le", "12le", "16le")),
    ),
}
_ALIASES = {"hevc": "h265", "avc": "h264", "x264": "h264", "x265": "h265"} | {
    codec.encoder: name for name, codec in CODECS.items()
}


@dataclass(frozen=True)
class Encoding:
    """The requested encoding.

    Attributes:
        codec: A name of `CODECS`, another name for it, or "auto".
        crf: Quality on the codec's own scale; None for the codec's default.
        preset: Speed; None for the codec's default.
        options: Further settings, as FFmpeg names them, such as {"tune": "film"}.
    """

    codec: str = "auto"
    crf: float | None = None
    preset: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def resolved(self, suffix: str, *, alpha: bool = False) -> Encoding:
        """Returns the encoding with all defaults filled in, for a file of this suffix; `alpha`: of a video with alpha.

        Raises:
            UsageError: For an unknown codec, or a setting that the codec does not have.
        """
        name = self.codec.lower()
        if name == "auto":
            name = ("vp9" if alpha else "av1") if suffix == ".webm" else "h264"
        name = _ALIASES.get(name, name)
        if name not in CODECS:
            raise UsageError(f"no codec {self.codec!r}; there are {', '.join(CODECS)}{nearest(name, CODECS)}")
        codec = CODECS[name]
        for setting, value in (("crf", self.crf), ("preset", self.preset)):
            if value is not None and getattr(codec, setting) is None:
                lossless = "is lossless and " if codec.crf is None else ""
                raise UsageError(f"{name} {lossless}has no {setting}", Use(**{setting: LEAVE_OUT}))
        crf = codec.crf if self.crf is None else self.crf
        preset = codec.preset if self.preset is None else self.preset
        return Encoding(name, crf, preset, self.options)

    def settings(self) -> dict[str, str]:
        """Returns all settings as FFmpeg takes them; for a resolved encoding."""
        codec = CODECS[self.codec]
        named = {"crf": None if self.crf is None else f"{self.crf:g}", "preset": self.preset}
        settings = {key: value for key, value in named.items() if value is not None} | dict(codec.options)
        given = dict(self.options)
        if codec.parameters in given and codec.parameters in settings:  # the last of two equal parameters holds
            given[codec.parameters] = f"{settings[codec.parameters]}:{given[codec.parameters]}"
        return settings | given


def nearest_format(wanted: FrameFormat, encoding: Encoding) -> FrameFormat:
    """Returns the format nearest to `wanted` that the encoder takes.

    It is the same format if possible, else one with finer chroma or more bits, else a coarser one. Sides are rounded up
    if needed.

    Args:
        wanted: The format that loses nothing.
        encoding: A resolved encoding.
    """
    import av

    codec = CODECS[encoding.codec]
    known = {kind.name for kind in av.Codec(codec.encoder, "w").video_formats or ()}
    if wanted.rgb:
        wanted = replace(wanted, chroma=(1, 1) if codec.crf is None else (2, 2), colour=_FROM_RGB)
    clear = wanted.alpha and codec.alpha
    if not clear:
        wanted = replace(wanted, alpha=False)
    chosen = next(one for one in _candidates(wanted) if one.pixel_format in (codec.alpha if clear else known))
    if codec.even and chosen.chroma is not None:
        down, across = chosen.chroma
        chosen = chosen.resized(-(-wanted.height // down) * down, -(-wanted.width // across) * across)
    return chosen


def format_losses(wanted: FrameFormat, stored: FrameFormat) -> list[str]:
    """Returns a clause for each loss of storing frames as `stored` instead of `wanted`."""
    lost = []
    if wanted.rgb and not stored.rgb:
        lost.append(f"R, G, B is stored as {stored.pixel_format}")
    elif wanted.chroma is not None and stored.chroma is not None and wanted.chroma < stored.chroma:
        lost.append(f"its chroma, in {wanted.pixel_format}, is stored as {stored.pixel_format}")
    if wanted.alpha and not stored.alpha:
        lost.append("its alpha is left out; VP9 in .webm and FFV1 in .mkv hold it")
    if stored.depth < wanted.depth:
        lost.append(f"{stored.depth} of its {wanted.depth} bits are kept")
    if (wanted.height, wanted.width) != (stored.height, stored.width):
        lost.append(
            f"this codec cannot store {wanted.width}x{wanted.height} in {stored.pixel_format}; the last row or column "
            f"is repeated to {stored.width}x{stored.height}"
        )
    return lost


def _candidates(wanted: FrameFormat) -> Iterator[FrameFormat]:
    depths = sorted(_DEPTHS, key=lambda depth: (depth < wanted.depth, abs(depth - wanted.depth)))
    chromas: list[tuple[int, int] | None] = [wanted.chroma]
    if wanted.chroma is not None:
        finer = [one for one in ((1, 2), (1, 1)) if one[0] <= wanted.chroma[0] and one[1] <= wanted.chroma[1]]
        chromas += finer
    for chroma in [*chromas, (2, 2)]:
        for depth in depths:
            yield replace(wanted, chroma=chroma, depth=depth)
