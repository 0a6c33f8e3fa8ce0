"""What `hyperacuity upscale` is told of videos, as the library has it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from hyperacuity.cli.values import seconds, texts
from hyperacuity.errors import UsageError

if TYPE_CHECKING:
    from hyperacuity.video import Report, Settings

Y4M = b"YUV4MPEG2 "


def is_video(source: Path) -> bool:
    """Whether a file is a video, or a name such as "frames/%06d.png" that of many frames."""
    from hyperacuity import formats
    from hyperacuity.formats.video.reading import is_pattern

    return is_pattern(source) or formats.is_video(source)


def asked(
    *,
    codec: str | None,
    crf: float | None,
    preset: str | None,
    options: Sequence[str],
    start: str | None,
    duration: str | None,
    fps: str | None,
    deinterlace: bool,
    strict: bool,
) -> Settings | None:
    """How videos are to be treated; None where nothing was said, which pictures need not hear of."""
    if not any((codec, crf is not None, preset, options, start, duration, fps, deinterlace, strict)):
        return None
    from hyperacuity import video

    further = texts(options, "tune=film", option="-e")
    part = video.Part(
        Fraction(0) if start is None else seconds("--start", start),
        None if duration is None else seconds("--duration", duration),
    )
    rate = None if fps is None else _rate(fps)
    return video.Settings(video.Encoding(codec or "auto", crf, preset, further), part, rate, deinterlace, strict)


def note(report: Report, seconds: float) -> str:
    """What there is to say of a video that is done, beside its size."""
    said = []
    if report.frames > report.resumed + 1:
        said.append(f"{(report.frames - report.resumed) / seconds:.1f} a second")
    if report.resumed:
        said.append(f"{report.resumed} of them from an earlier run")
    if report.reused >= 0.005:
        said.append(f"{report.reused:.0%} did not change")
    return ", ".join(said)


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"--fps {text}: give frames per second, such as 25 or 30000/1001")
    return rate
