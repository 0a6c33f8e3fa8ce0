"""The options of `hyperacuity upscale` for videos, as the library has them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from hyperacuity.cli.values import seconds, texts
from hyperacuity.errors import UsageError

if TYPE_CHECKING:
    from hyperacuity.task import Outcome, VideoOptions

Y4M = b"YUV4MPEG2 "


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
) -> VideoOptions | None:
    """How videos are to be treated; None where nothing was said, which pictures need not hear of."""
    if not any((codec, crf is not None, preset, options, start, duration, fps, deinterlace, strict)):
        return None
    from hyperacuity.task import VideoOptions

    return VideoOptions(
        codec or "auto",
        crf,
        preset,
        texts(options, "tune=film", option="-e"),
        None if start is None else str(seconds("--start", start)),
        None if duration is None else str(seconds("--duration", duration)),
        None if fps is None else str(_rate(fps)),
        deinterlace,
        strict,
    )


def note(outcome: Outcome, seconds: float) -> str:
    """What there is to say of a video that is done, beside its size."""
    said = []
    if outcome.frames > outcome.resumed + 1:
        said.append(f"{(outcome.frames - outcome.resumed) / seconds:.1f} a second")
    if outcome.resumed:
        said.append(f"{outcome.resumed} of them from an earlier run")
    if outcome.unchanged >= 0.005:
        said.append(f"{outcome.unchanged:.0%} did not change")
    return ", ".join(said)


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"--fps {text}: give frames per second, such as 25 or 30000/1001")
    return rate
