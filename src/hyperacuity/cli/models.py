"""`hyperacuity models`: what there is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole cards, for programs.")] = False,
) -> None:
    """List the models at hand."""
    from rich.console import Console
    from rich.table import Table

    from hyperacuity import zoo

    if as_json:
        cards = {name: asdict(model.card) for name, model in zoo.models().items()}
        json.dump(cards, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
        return

    table = Table("name", "scale", "parameters", "Set5 dB", "colour", "licence", "size", "paper", box=None)
    for model in zoo.models().values():
        card = model.card
        table.add_row(
            card.name + (" (default)" if card.family == zoo.DEFAULT else ""),
            f"x{card.scale}" if card.scale else "any",
            f"{card.parameters:,}" if card.parameters else "-",
            f"{card.quality['Set5']:.2f}" if "Set5" in card.quality else "-",
            card.channels,
            card.licence,
            f"{model.onnx.stat().st_size / 1e3:.0f} kB" if model.onnx else "-",
            card.paper,
        )
    # Without a terminal the table shall not be folded to some assumed width.
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(
        "Set5 dB: PSNR on 8-bit luma (BT.601), border = scale, low resolution by MATLAB's bicubic.", style="dim"
    )
