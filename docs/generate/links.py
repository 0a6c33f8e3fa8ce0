"""The check that no built page loads anything from another host."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# What a browser fetches by itself. A link that a reader clicks is not among them.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*?\bsrc=["']?(?:https?:)?//"""
    r"""|<link\b(?![^>]*rel=["']canonical)[^>]*?\bhref=["']?(?:https?:)?//"""
    r"""|url\(\s*["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
)


def check(app: Sphinx, exception: Exception | None) -> None:
    """Fail the build if a page would load a font, a script, a style or an image from another host."""
    if exception is not None:
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in (".html", ".css") and (found := LOADED.search(path.read_text(encoding="utf-8"))):
            raise ExtensionError(f"{path.name} loads from another host: {found.group()}")
