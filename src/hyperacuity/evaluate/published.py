"""The tables of the papers, as data: published.csv, each figure with its source.

All are for the classic protocol. What a table was trained on moves its figures by up to 0.3 dB, so it stands beside.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hyperacuity.zoo import Card

# What a network of ours is called in the tables.
_NAMES = {"fsrcnn": "FSRCNN"}


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
    model = "Bicubic" if card.name == "bicubic" else _NAMES.get(card.architecture)
    return table().get((model, name, scale)) if model else None
