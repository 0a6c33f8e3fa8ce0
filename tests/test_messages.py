"""No message outside the command line names its options: a cure is data, see `errors.Use` and `errors.Run`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hyperacuity

SOURCES = Path(hyperacuity.__file__).parent
# These write batch scripts and command lines of Slurm, which are not messages.
SCRIPTS = ("cluster/runners/slurm.py", "cluster/sbatch.py", "cluster/training_job.py")
MODULES = sorted(
    path.relative_to(SOURCES).as_posix()
    for path in SOURCES.rglob("*.py")
    if path.relative_to(SOURCES).parts[0] != "cli" and path.relative_to(SOURCES).as_posix() not in SCRIPTS
)
COMMANDS = "upscale|live|models|tune|train|interpolate|import|fetch|quantise|evaluate|serve|users|cluster"
# An option such as --engine or -o, or a command such as `hyperacuity import`.
SPOKEN = re.compile(rf"(?<![\w-])--[a-z]|^-[a-z] |[\s(`]-[a-z](?=[\s,.:;)`]|$)|\bhyperacuity (?:{COMMANDS})\b")


def find_messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The constant texts of a module, with their lines, except docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def spoken(text: str) -> list[str]:
    return [f"line {line}: {each!r}" for line, each in find_messages(ast.parse(text)) if SPOKEN.search(each)]


@pytest.mark.parametrize("module", MODULES)
def test_no_message_names_an_option_or_a_command(module: str) -> None:
    found = spoken((SOURCES / module).read_text())
    assert not found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('raise UsageError(f"{x} is slow: add --engine pytorch")', True),
        ('warnings.warn("its tiles may show; --tile 0 avoids it")', True),
        ('raise UsageError("choose another name by -o")', True),
        ('raise UsageError("-n bicubic takes any")', True),
        ('raise WeightsError("hyperacuity import converts it")', True),
        ('def f():\n    """Like --engine."""\n    # --engine\n', False),
        ("raise UsageError(\"pip install 'hyperacuity[train]'\")", False),
        ('raise UsageError("give a folder, or - for a pipe")', False),
        ('return f"{stem}-x{scale}"', False),
        ('raise UsageError("8-bit, x-axis, -1 and a - b")', False),
    ],
)
def test_options_and_commands_are_recognised(text: str, found: bool) -> None:
    assert bool(spoken(text)) == found
