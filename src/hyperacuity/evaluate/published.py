"""The tables of the papers, as data: published.csv, each figure with its source.

All figures are for the classic protocol. The training set changes them by up to 0.3 dB, so each figure names it.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperacuity.zoo import Card

# An architecture, what its config must contain, and the name of that network in the tables.
_PAPER_NAMES: tuple[tuple[str, Mapping[str, Any], str], ...] = (
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
class PublishedFigure:
    """One figure of a paper.

    Attributes:
        model: The name of the network in the paper.
        psnr: In dB.
        ssim: None if the paper does not give it.
        trained_on: The training set.
        source: The paper and its table.
    """

    model: str
    psnr: float
    ssim: float | None
    trained_on: str
    source: str


@functools.cache
def published_figures() -> Mapping[tuple[str, str, int], PublishedFigure]:
    """Returns all figures, by model, set and scale."""
    with (Path(__file__).parent / "published.csv").open(newline="", encoding="utf-8") as file:
        return {
            (line["model"], line["set"], int(line["scale"])): PublishedFigure(
                line["model"],
                float(line["psnr_db"]),
                float(line["ssim"]) if line["ssim"] else None,
                line["trained_on"],
                line["source"],
            )
            for line in csv.DictReader(file)
        }


def find_published(card: Card, name: str, scale: int) -> PublishedFigure | None:
    """Returns the published figure of the card's network on the set `name`; None if there is none."""
    model = "Bicubic" if card.name == "bicubic" else _name_in_papers(card)
    return published_figures().get((model, name, scale)) if model else None


def _name_in_papers(card: Card) -> str | None:
    """Returns the name of a network in the tables, or None if it has none."""
    for architecture, config, model in _PAPER_NAMES:
        if card.architecture == architecture and card.config.items() >= config.items():
            return model
    return None
