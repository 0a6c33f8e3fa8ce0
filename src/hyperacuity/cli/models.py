"""`hyperacuity models`: the installed models."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole cards, for programs.")] = False,
) -> None:
    """List the installed models."""
    from rich.console import Console
    from rich.table import Table

    from hyperacuity import zoo

    if as_json:
        cards = {name: asdict(model.card) for name, model in zoo.models().items()}
        json.dump(cards, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
        return

    table = Table(box=None, padding=(0, 1, 0, 0))
    for head in ("name", "also", "scale", "parameters", "GMAC", "Set5", "SSIM", "MP/s", "licence"):
        table.add_column(head, no_wrap=head != "also")
    speed, machine = zoo.speed()
    for model in zoo.models().values():
        card = model.card
        also = [name for name, family in zoo.PRESETS.items() if card.family == family]
        table.add_row(
            card.name,
            ", ".join(also + ["default"] * (card.family == zoo.DEFAULT)),
            f"x{card.scale}" if card.scale else "any",
            f"{card.parameters:,}" if card.parameters else "-",
            f"{card.work() / 1e9:.1f}" if card.multiply_adds else "-",
            f"{card.quality['Set5']:.2f}" if "Set5" in card.quality else "-",
            f"{card.ssim['Set5']:.4f}" if "Set5" in card.ssim else "-",
            f"{speed[card.name]:.1f}" if card.name in speed else "-",
            card.licence,
        )
    # Without a terminal the table must not be folded to an assumed width.
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(
        "Set5, SSIM: PSNR in dB and SSIM on Set5's luma (BT.601), border = scale, low resolution by MATLAB's bicubic. "
        "GMAC: 10^9 multiply-adds for a result of 1280 x 720. "
        f"MP/s: megapixels of the result a second, colour image in and out, on {machine}.",
        style="dim",
    )
