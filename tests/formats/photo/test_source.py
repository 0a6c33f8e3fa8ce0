"""Files while they are open."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.errors import UsageError
from hyperacuity.formats import content
from tests.formats.samples import (
    encoded,
)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
def test_a_file_that_shrinks_while_it_is_open_is_still_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(kind))
    with formats.read(path) as source:
        os.truncate(path, 40)
        assert next(iter(source)).header.width == 64


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
def test_large_files_are_mapped(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "COPIED", 0)
    path = tmp_path / "a"
    path.write_bytes(encoded(kind))
    with formats.read(path) as mapped, formats.read(path.read_bytes()) as copied:
        np.testing.assert_array_equal(next(iter(mapped)).pixels, next(iter(copied)).pixels)


def test_closed_source_is_not_read() -> None:
    with formats.read(encoded("PNG")) as source:
        pass
    with pytest.raises(UsageError, match="closed"):
        list(source)
