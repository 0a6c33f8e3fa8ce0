"""`hyperacuity models`: the installed models, and the published weights that can be fetched."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table


def command(
    available: Annotated[
        bool, typer.Option("--available", help="List the published weights that `hyperacuity fetch` downloads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole cards, for programs.")] = False,
) -> None:
    """List the installed models."""
    from hyperacuity import zoo

    if as_json:
        content = _published() if available else {name: asdict(m.card) for name, m in zoo.installed().items()}
        json.dump(content, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
        return
    from rich.console import Console

    # Without a terminal the table must not be folded to an assumed width. Brackets are part of names and of commands.
    console = Console(width=None if sys.stdout.isatty() else 200, markup=False)
    if available:
        console.print(_table_of_published())
        console.print(
            "Fetch one by: hyperacuity fetch NAME. It is converted once, which needs pip install 'hyperacuity[train]'. "
            "Licences that are not free are asked about first.",
            style="dim",
        )
        return
    console.print(_table_of_installed())
    console.print(
        "Set5, SSIM: PSNR in dB and SSIM on Set5's luma (BT.601), border = scale, low resolution by MATLAB's bicubic; "
        "at the smallest scale of a model for several. "
        "GMAC: 10^9 multiply-adds for a result of 1280 x 720. "
        f"MP/s: megapixels of the result a second, colour image in and out, on {zoo.speed()[1]}. "
        "More models: hyperacuity models --available",
        style="dim",
    )


def _table_of_installed() -> Table:
    from hyperacuity import zoo

    table = _empty("name", "also", "scale", "parameters", "GMAC", "Set5", "SSIM", "MP/s", "licence")
    speed, _ = zoo.speed()
    for model in zoo.installed().values():
        card = model.card
        also = [name for name, family in zoo.PRESETS.items() if card.family == family]
        measured = f"Set5 x{card.enlarged[0]}" if card.enlarged else "Set5"
        table.add_row(
            card.name,
            ", ".join(also + ["default"] * (card.family == zoo.DEFAULT)),
            _scales(card.enlarged or (card.scale,)) if card.scale else "any",
            f"{card.parameters:,}" if card.parameters else "-",
            f"{card.work() / 1e9:.1f}" if card.multiply_adds else "-",
            f"{card.quality[measured]:.2f}" if measured in card.quality else "-",
            f"{card.ssim[measured]:.4f}" if measured in card.ssim else "-",
            f"{speed[card.name]:.1f}" if card.name in speed else "-",
            card.licence,
        )
    return table


def _table_of_published() -> Table:
    table = _empty("name", "network", "scale", "MB", "licence", "from", "also")
    for name, entry in _published().items():
        table.add_row(
            name,
            entry["network"],
            _scales(entry["scales"]) or "-",
            entry["megabytes"],
            entry["licence"],
            entry["source"],
            ", ".join(filter(None, (entry["note"], "installed" if entry["installed"] else ""))),
        )
    return table


def _scales(scales: Iterable[int]) -> str:
    return ", ".join(f"x{scale}" for scale in scales)


def _published() -> dict[str, dict[str, Any]]:
    """The catalogue as plain data, with whether each entry is installed."""
    from hyperacuity import zoo

    there = zoo.fetched_models().keys()
    return {
        name: asdict(entry)
        | {
            "megabytes": entry.megabytes,
            "free": entry.is_free,
            "installed": bool(entry.scales) and there >= {*entry.model_names},
        }
        for name, entry in zoo.read_catalogue().items()
    }


def _empty(*heads: str) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=head != "also")
    return table
