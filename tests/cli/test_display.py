"""The lines that a batch displays."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperacuity.cli.display import summary
from hyperacuity.errors import DamagedFile
from hyperacuity.task import Message, Outcome


@pytest.mark.parametrize(("source", "name"), [(".", "."), ("head", "head"), (str(Path("scans", "head")), "head")])
def test_the_summary_names_the_file_of_a_series(source: str, name: str) -> None:
    error = Message.from_exception(DamagedFile(f"{Path(source, 'a.dcm')} is truncated"))
    assert summary([Outcome(source, "larger", error=error)]) == f"0 done, 1 left out: {name} (a.dcm is truncated)"
