"""Enlarges an image row by row, so that memory does not grow with the image's height.

    enlarge       `Pipeline`: joins the others into one stream of rows
    first_pass    properties of the whole image, found before its first row is computed; colours under zero alpha
    codes         stored values <-> planes
    wide          what does not go through networks: values beyond their range, and pixels without a measurement
    planes        the planes of a row, by name: colour, alpha
    rows          streams of rows: blocks, windows, resizing, threads
    stage         `Stage`, one network of a chain, and that network applied to one image
    noise         what networks that draw samples read as further planes
    batches       planes <-> what a network reads and returns
    check         whether a network's result is credible
    faithful      corrects the result so that its reduction equals the input
    tile_budget   the tile policy: how large tiles are, how many rows each core computes, how much memory that takes

Between the steps rows are planes: arrays (C, h, W) of float32, black 0 and white 1.
"""

from __future__ import annotations

from hyperacuity.pipeline.enlarge import Pipeline, check_rows, join_rows
from hyperacuity.pipeline.first_pass import Facts, complete_survey
from hyperacuity.pipeline.noise import Noise
from hyperacuity.pipeline.stage import VIEWS, PrecisionWarning, Stage, TilingWarning

__all__ = [
    "VIEWS",
    "Facts",
    "Noise",
    "Pipeline",
    "PrecisionWarning",
    "Stage",
    "TilingWarning",
    "check_rows",
    "complete_survey",
    "join_rows",
]
