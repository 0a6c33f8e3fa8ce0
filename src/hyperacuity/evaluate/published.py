"""The tables of the papers, as data: published.csv, each figure with its source.

All are for the classic protocol. What a table was trained on moves its figures by up to 0.3 dB, so it stands beside.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperacuity.zoo import Card

# What the tables call a network of ours, by its architecture and what its config must say.
_NAMES: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("srcnn", {"middle": 5}, "SRCNN"),
    ("fsrcnn", {"d": 56, "s": 12, "m": 4}, "FSRCNN"),
    ("espcn", {"n1": 64, "n2": 32, "channels": 1}, "ESPCN"),
    ("vdsr", {"depth": 20}, "VDSR"),
    ("edsr", {"blocks": 16, "width": 64}, "EDSR-baseline"),
    ("edsr", {"blocks": 32, "width": 256}, "EDSR"),
    ("imdn", {"features": 64, "blocks": 6}, "IMDN"),
    ("rrdb", {"features": 64, "blocks": 23}, "RRDB"),
    ("swinir", {"features": 60, "upsampler": "pixelshuffledirect"}, "SwinIR-light"),
    ("swinir", {"features": 180, "upsampler": "pixelshuffle"}, "SwinIR"),
)


@dataclass(frozen=True)
class Published:
    """One figure of a paper; PSNR in dB, SSIM where it was given."""

    model: str
    psnr: float
    ssim: float | None
    trained_on: str
    source: str


@functools.cache
def table() -> Mapping[tuple[str, str, int], Published]:
    """All figures, by model, set and scale."""
    with (Path(__file__).parent / "published.csv").open(newline="", encoding="utf-8") as file:
        return {
            (line["model"], line["set"], int(line["scale"])): Published(
                line["model"],
                float(line["psnr_db"]),
                float(line["ssim"]) if line["ssim"] else None,
                line["trained_on"],
                line["source"],
            )
            for line in csv.DictReader(file)
        }


def find(card: Card, name: str, scale: int) -> Published | None:
    """What the papers say of this network on the set `name`, if they do."""
    model = "Bicubic" if card.name == "bicubic" else _called(card)
    return table().get((model, name, scale)) if model else None


def _called(card: Card) -> str | None:
    for architecture, config, model in _NAMES:
        if card.architecture == architecture and card.config.items() >= config.items():
            return model
    return None
