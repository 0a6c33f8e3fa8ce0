"""One slice after another through the network, and how near the results are to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import values
from hyperacuity.image import Header, Image, Strips, Survey
from hyperacuity.pipeline.box_consistency import Consistency, measure, project
from hyperacuity.upscaler import Upscaler

Pixels = NDArray[Any]


class SliceEnlarger:
    """Enlarges slices of one grid with one range, and compares the box mean of each result with its slice.

    Args:
        upscaler: The model.
        header: Of the slices.
        after: (height, width) of the results.
        consistent: Whether to make the box means equal.

    Attributes:
        models: What enlarges the slices.
        found: How near the results are, in stored values.
    """

    def __init__(self, upscaler: Upscaler, header: Header, after: tuple[int, int], *, consistent: bool) -> None:
        self._before, self._after = (header.height, header.width), after
        self._pipeline = upscaler.pipeline(self._before, after)
        self._comparable = after[0] >= self._before[0] and after[1] >= self._before[1]
        self._consistent = consistent and self._comparable and after != self._before
        measured = header.measured
        nearest = measured is not None and measured.categorical and after != self._before
        self.models = ("nearest",) if nearest else upscaler.names(self._before, after)
        self.found = Consistency.of_bands(header.colours)

    def enlarge(self, pixels: Pixels, header: Header) -> Pixels:
        """Return a slice (H, W, channels) for a slice (h, w, channels).

        Args:
            pixels: As stored.
            header: Of this slice, with the range in its own stored values.
        """
        image = Image(header, pixels)
        result: Strips = self._pipeline.stream(image, *self._after)
        if header.measured is None or header.measured.categorical or not self._comparable:
            return result.gather().pixels
        if self._consistent:
            result = project(result, image.strips(), values.find_valid)
        return measure(result, image.strips(), values.find_valid, self.found).gather().pixels


def with_survey(header: Header, survey: Survey | None, *, categorical: bool = False) -> Header:
    """Return the header with what is known about all slices."""
    assert header.measured is not None
    measured = replace(header.measured, survey=survey, categorical=categorical or header.measured.categorical)
    return replace(header, measured=measured)


def describe(found: Consistency, survey: Survey | None, slope: float = 1.0, unit: str = "") -> str:
    """Return how near the results are, in words; "" if nothing was compared.

    Args:
        found: In stored values.
        survey: The ranges.
        slope: Turns differences of stored values into differences of real ones.
        unit: Of the real values.
    """
    if not found.count.any():
        return ""
    band = int(np.nanargmax(found.rms))
    known = None if survey is None else survey.ranges[band]
    share = (
        f" ({found.rms[band] / (known.high - known.low):.2%} of the range)" if known and known.high > known.low else ""
    )
    after = f" {unit}" if unit else ""
    rms, most = found.rms[band] * abs(slope), found.most[band] * abs(slope)
    return f"box mean against the input: rms {rms:.3g}{after}{share}, max {most:.3g}{after}"
