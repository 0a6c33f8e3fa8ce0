"""The command line reference, from the help of each command."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path
from typing import Any

import typer


def write(target: Path) -> None:
    """Write one section for each command, one table for each group of its options."""
    from hyperacuity import cli

    # The first run makes all commands known; each is otherwise loaded when it is asked for.
    argv, sys.argv = sys.argv, ["hyperacuity", "--help"]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            cli.main()
    finally:
        sys.argv = argv
    group: Any = typer.main.get_command(cli.app)
    context = group.make_context("hyperacuity", [], resilient_parsing=True)
    parts = ["# Command line reference\n", "Generated from `hyperacuity COMMAND --help`.\n"]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = getattr(command, "commands", None)  # of a command that holds several
        if inner is None:
            parts.append(_command(name, command, context))
        else:
            parts += [_command(f"{name} {each}", inner[each], context) for each in inner]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(parts), encoding="utf-8")


def _command(name: str, command: Any, parent: Any) -> str:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece)
    first, _, rest = (command.help or "").replace("\b", "").strip().partition("\n")
    parts = [f"## {name}\n", f"{first}\n", f"```text\nhyperacuity {name} {usage}\n```\n"]
    parts += _examples([line.strip() for line in rest.splitlines() if line.strip()])
    groups: dict[str, list[Any]] = {}
    for parameter in command.get_params(context):
        default = "Arguments" if parameter.param_type_name == "argument" else "Options"
        groups.setdefault(getattr(parameter, "rich_help_panel", None) or default, []).append(parameter)
    for title, parameters in groups.items():
        rows = [row for parameter in parameters if (row := _row(parameter, context))]
        if rows:
            parts += [f"**{title}**\n", "| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(parts)


def _examples(lines: list[str]) -> list[str]:
    """The lines after the first of a help text: sentences, then a list of commands and what each does."""
    sentences = " ".join(line for line in lines if "hyperacuity" not in line)
    pairs = [re.split(r" {2,}", line, maxsplit=1) for line in lines if "hyperacuity" in line]
    return [f"{sentences}\n", *(f"- {': '.join([f'`{pair[0]}`', *pair[1:]])}" for pair in pairs), ""]


def _row(parameter: Any, context: Any) -> str:
    record = parameter.get_help_record(context)
    if record is None or "--help" in parameter.opts:
        return ""
    names, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
    meaning = meaning.replace("<", "\\<").replace("*", "\\*")
    return f"| {', '.join(f'`{name}`' for name in names.removeprefix('* ').split(', '))} | {meaning} |"
