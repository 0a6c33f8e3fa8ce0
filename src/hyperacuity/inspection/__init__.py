"""Measures how clean an image is, and decides what kind of model it needs. Each measurement is a module.

measuring     `inspect`: the measurements of a file or an array
record        what is measured: `Inspection`
decision      from measurements to "clean", "between" or "dirty", with all thresholds: `decide`
reading       as much of a file as is needed
sampling      crops of an image's luma, few enough for any size
jpeg_tables   quality and chroma of a JPEG file, from its header
webp_header   quality of a WebP file, from its header
avif_header   quality of an AVIF file, from its header
noise, blockiness, spectrum, repetition, traces   one measurement each, from the crops
"""

from __future__ import annotations

from hyperacuity.inspection.choosing import choose_model, clean_options
from hyperacuity.inspection.decision import CRITERIA, Verdict, decide, describe_limits, describe_reason
from hyperacuity.inspection.measuring import inspect, inspect_frames
from hyperacuity.inspection.record import Inspection

__all__ = [
    "CRITERIA",
    "Inspection",
    "Verdict",
    "choose_model",
    "clean_options",
    "decide",
    "describe_limits",
    "describe_reason",
    "inspect",
    "inspect_frames",
]
