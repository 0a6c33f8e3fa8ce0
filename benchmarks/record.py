"""Results as CSV, each row beside the machine, the commit and the day it was measured on."""

from __future__ import annotations

import csv
import datetime
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hyperacuity.machine import cores, processor

FOLDER = Path(__file__).parent / "results"


def machine() -> str:
    """The processor and how many of its cores this process may use."""
    name, count = processor(), cores()
    return f"{name}, {count} core{'s' * (count != 1)}"


def commit() -> str:
    """The commit that was measured, with a + for changes on top of it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, cwd=FOLDER
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "../../src") else "")


def save(name: str, rows: Sequence[dict[str, Any]], *, key: str | None = None) -> None:
    """Write `rows` to results/NAME.csv and to the terminal.

    key: a column; rows that the file has already stay, but for those whose value there has been measured again.
    """
    context = {"machine": machine(), "commit": commit(), "date": datetime.date.today().isoformat()}
    fresh = [row | context for row in rows]
    if key is not None:
        measured = {str(row[key]) for row in rows}
        fresh = [row for row in load(name) if row[key] not in measured] + fresh
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *context], lineterminator="\n")
        writer.writeheader()
        writer.writerows(fresh)
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


def load(name: str) -> list[dict[str, str]]:
    """The rows of results/NAME.csv; none if there is no such file."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
