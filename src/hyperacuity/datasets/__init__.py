"""Folders of images as the field uses them: 8 bits, luma or RGB, with LR made by MATLAB's bicubic.

`files` finds and reads images; `pairing` finds the LR of each HR file by name, and `pairs` brings both
together, for the trainer and the evaluation.
"""

from __future__ import annotations

from hyperacuity.datasets.files import (
    UNREADABLE,
    LeftOut,
    LeftOutWarning,
    Pixels8,
    check_any_left,
    files,
    find_error,
    fingerprint,
    header_shape,
    list_images,
    luma,
    read_image,
    split_readable,
    to_channels,
    warn_left_out,
)
from hyperacuity.datasets.pairing import find_lr, pair_files, pair_results
from hyperacuity.datasets.pairs import Pair, check_headers, check_pair, pair, read_pair, with_lr

__all__ = [
    "UNREADABLE",
    "LeftOut",
    "LeftOutWarning",
    "Pair",
    "Pixels8",
    "check_any_left",
    "check_headers",
    "check_pair",
    "files",
    "find_error",
    "find_lr",
    "fingerprint",
    "header_shape",
    "list_images",
    "luma",
    "pair",
    "pair_files",
    "pair_results",
    "read_image",
    "read_pair",
    "split_readable",
    "to_channels",
    "warn_left_out",
    "with_lr",
]
