"""`hyperacuity tune`: finds the fastest engine for a model on this machine."""

from __future__ import annotations

import sys

from hyperacuity.cli.options import Model, ModelPath, check_model
from hyperacuity.errors import UsageError


def command(
    model: Model = None,
    model_path: ModelPath = None,
) -> None:
    """Time every installed engine on a model. --engine auto then uses the fastest.

    hyperacuity tune                   the default model
    hyperacuity tune -n fsrcnn-x2      another model
    """
    check_model(model, model_path)

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hyperacuity import zoo
    from hyperacuity.engines import timing, tuning

    family = [zoo.open_model(model_path)] if model_path is not None else zoo.find_models(model or zoo.DEFAULT)
    networks = [member for member in family if member.onnx is not None]
    if not networks:
        raise UsageError(f"{family[0].card.name} has no ONNX file: there are no engines to compare")
    console = Console(width=None if sys.stdout.isatty() else 120, markup=False)  # brackets are part of commands
    for member in networks:
        table = Table("engine", "ms", "megapixels/s", "first ms", "difference", box=None, title=member.card.name)
        results = timing.time_engines(member)
        for one in results:
            if one.seconds is None:
                table.add_row(one.engine, Text(one.fault, "dim"))
                continue
            table.add_row(
                one.engine,
                f"{1e3 * one.seconds:.1f}",
                f"{one.megapixels_per_second:.1f}",
                f"{1e3 * one.first:.0f}",
                f"{one.difference:.1e}",
            )
        console.print(table)
        if results[0].seconds is None:
            raise UsageError(f"no engine can run {member.card.name}")
        if not tuning.remember(member, results[0].engine):
            console.print(f"{tuning.cache_file()} cannot be written: the result is not kept", style="yellow")
    console.print(
        "Only luma or RGB, 512 x 256 pixels; --engine auto now uses the fastest on the CPU.",
        style="dim",
    )
