"""Folders of images as the field uses them: 8 bits, luma or RGB, with LR made by MATLAB's bicubic.

`files` finds and reads images; `pairs` brings HR and LR together, for the trainer and the evaluation.
"""

from __future__ import annotations

from hyperacuity.datasets.files import Pixels8, files, fingerprint, header_shape, luma, read_image, to_channels
from hyperacuity.datasets.pairs import Pair, check_pair, find_lr, pair, read_pair, with_lr

__all__ = [
    "Pair",
    "Pixels8",
    "check_pair",
    "files",
    "find_lr",
    "fingerprint",
    "header_shape",
    "luma",
    "pair",
    "read_image",
    "read_pair",
    "to_channels",
    "with_lr",
]
