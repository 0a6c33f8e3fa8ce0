"""Results as CSV; each row names the machine, the commit and the date of the measurement."""

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
    """Returns the processor, and how many of its cores this process may use."""
    name, count = processor(), cores()
    return f"{name}, {count} core{'s' * (count != 1)}"


def commit() -> str:
    """Returns the commit that was measured, followed by + if src has changes that are not committed."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, cwd=FOLDER
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "../../src") else "")


def save(name: str, rows: Sequence[dict[str, Any]], *, key: str | Sequence[str] = ()) -> None:
    """Write `rows` to results/NAME.csv and to the terminal.

    Args:
        name: Of the file, without suffix.
        rows: By column.
        key: One or several columns. Rows of the file stay, in their order, unless their values in these columns have
            been measured again; without a key, all are replaced.
    """
    origin = {"machine": machine(), "commit": commit(), "date": datetime.date.today().isoformat()}
    fresh = [row | origin for row in rows]
    if key:
        columns = (key,) if isinstance(key, str) else tuple(key)
        kept: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        replaced: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for known, each in ((kept, load(name)), (replaced, fresh)):
            for row in each:
                known.setdefault(tuple(str(row[column]) for column in columns), []).append(row)
        fresh = [row for part in (kept | replaced).values() for row in part]
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *origin], lineterminator="\n")
        writer.writeheader()
        writer.writerows(fresh)
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


def load(name: str) -> list[dict[str, str]]:
    """Returns the rows of results/NAME.csv; none if the file is missing."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
