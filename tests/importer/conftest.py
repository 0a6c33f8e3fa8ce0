"""Fixtures of the importer's tests."""

from __future__ import annotations

import pytest

from hyperacuity import export


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter takes seconds, and has its own tests."""
    monkeypatch.setattr(export, "to_onnx", lambda network, card: b"onnx")
