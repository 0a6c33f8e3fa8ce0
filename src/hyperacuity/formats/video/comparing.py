"""Compares when the frames and streams of a result are presented with what its source intends. Does not use FFmpeg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperacuity.quantiles import median, quantiles

Seconds = NDArray[np.float64]

# A frame is in its place within this many intervals; containers round times, here in seconds.
_PLACE, _ROUNDING = 1.2, 0.002
# Copied streams may begin and end by this many seconds more than an interval elsewhere.
_TOLERANCE = 0.02
# A result that lacks this share of the source's frames, or shows this share where the source has none, is wrong; less
# is a damaged source, whose frames could not be decoded.
_LOST, _STRANGE = 0.25, 0.05
# As is one of which all frames or the sound are moved by this many seconds.
_MOVED = 0.5
# Numbers of frames that differ by less are not worth a message: some packets hold no frame.
_COUNT = 0.01


@dataclass(frozen=True)
class StreamSpan:
    """When a stream is presented.

    Attributes:
        kind: "audio", "subtitle" ...
        first, end: When it begins and ends, in seconds.
        hidden: The seconds before `first` that only prime the decoder; not every container can hide them.
        packet: How long a packet lasts, in seconds.
    """

    kind: str
    first: float
    end: float
    hidden: float = 0.0
    packet: float = 0.0


@dataclass(frozen=True)
class Departure:
    """A difference between a result and its source.

    Attributes:
        message: A clause that says what and where.
        serious: Whether the result is wrong; otherwise the source may be the reason.
    """

    message: str
    serious: bool


def compare_frames(expected: Seconds, found: Seconds, interval: float, *, key: float | None = None) -> list[Departure]:
    """Returns how the frames of a result depart from those of its source.

    Args:
        expected: When the source shows its frames, in seconds, in order.
        found: When the result does.
        interval: The nominal interval of frames, in seconds.
        key: When the first key frame is shown, before which nothing can be decoded; None if unknown.
    """
    if not len(expected) or not len(found):
        return [] if len(expected) == len(found) else [Departure("it has no frames", serious=True)]
    place = _PLACE * interval + _ROUNDING
    if key is not None and abs(found[0] - key) <= place:
        expected = expected[expected >= key - _ROUNDING]
    if len(expected) == len(found):
        moved = median(found - expected)
        if abs(moved) > place and np.ptp(found - expected) <= place:
            late = "later" if moved > 0 else "earlier"
            return [Departure(f"its frames are shown {abs(moved):.3f} s {late} than the source's", abs(moved) > _MOVED)]
    lost = expected[_distances(expected, found) > place]
    strange = found[_distances(found, expected) > place]
    departures = []
    if len(lost):
        departures.append(
            Departure(
                f"from {lost[0]:.2f} to {lost[-1]:.2f} s it lacks {len(lost)} of the source's {len(expected)} frames",
                serious=len(lost) > _LOST * len(expected),
            )
        )
    if len(strange):
        departures.append(
            Departure(
                f"from {strange[0]:.2f} to {strange[-1]:.2f} s it shows {len(strange)} frames that the source lacks",
                serious=len(strange) > _STRANGE * len(found),
            )
        )
    if not departures and abs(len(expected) - len(found)) > max(2, _COUNT * len(expected)):
        departures.append(Departure(f"it shows {len(found)} frames, the source {len(expected)}", serious=False))
    if not departures and (uneven := _uneven(expected, found, interval)):
        departures.append(Departure(uneven, serious=False))
    return departures


def compare_spans(expected: Sequence[StreamSpan], found: Sequence[StreamSpan], interval: float) -> list[Departure]:
    """Returns how the other streams of a result depart from those of its source, in the same order."""
    departures = []
    for number, (wanted, here) in enumerate(zip(expected, found, strict=True), 1):
        tolerance = max(interval, wanted.packet) + _TOLERANCE
        early, late = wanted.first - here.first, here.first - wanted.first
        if late > tolerance or early > tolerance + wanted.hidden:
            moved = f"{abs(early):.3f} s too {'late' if late > 0 else 'early'}"
            departures.append(Departure(f"its stream {number} ({wanted.kind}) begins {moved}", abs(early) > _MOVED))
        if abs(off := here.end - wanted.end) > tolerance:
            ends = f"{abs(off):.3f} s too {'late' if off > 0 else 'early'}, at {here.end:.2f} s"
            departures.append(Departure(f"its stream {number} ({wanted.kind}) ends {ends}", abs(off) > _MOVED))
    return departures


def _distances(times: Seconds, others: Seconds) -> Seconds:
    """How far each time is from the nearest of the others."""
    after = np.searchsorted(others, times).clip(1, max(1, len(others) - 1))
    right = others[np.minimum(after, len(others) - 1)]
    nearest: Seconds = np.minimum(np.abs(times - others[after - 1]), np.abs(right - times))
    return nearest


def _uneven(expected: Seconds, found: Seconds, interval: float) -> str:
    """A clause if the intervals between frames are distributed otherwise than in the source; "" if not."""
    if min(len(expected), len(found)) < 3:
        return ""
    wanted, here = (quantiles(np.diff(times), (0.1, 0.5, 0.9)) for times in (expected, found))
    off = np.abs(wanted - here)
    if off.max() <= max(interval / 2, 2 * _ROUNDING):
        return ""
    worst = int(off.argmax())
    return f"its frames last {here[worst]:.3f} s, those of the source {wanted[worst]:.3f} s"
