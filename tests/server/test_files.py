"""The files of the page as they lie in the package, and what a start of the server loads."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import hyperacuity.server
from tests.test_imports import loaded_by

_PAGE = Path(hyperacuity.server.__file__).parent / "page"


def test_the_page_is_small_and_names_no_other_host() -> None:
    files = {path.name: path.read_bytes() for path in _PAGE.iterdir()}
    assert {"index.html", "style.css", "main.js", "icon.svg"} <= files.keys()
    assert sum(len(gzip.compress(content)) for content in files.values()) < 60_000
    for name, content in files.items():
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", content.decode()))
        assert addresses <= {"http://www.w3.org"}, name  # the name of SVG, which is not asked for


def test_a_start_of_the_server_loads_no_formats_and_no_numpy() -> None:
    start = "import hyperacuity.server.serving, hyperacuity.server.http.application, hyperacuity.server.http.deadlines"
    assert not loaded_by(start) & {"numpy", "av", "PIL", "pyvips", "onnxruntime", "hyperacuity.formats"}
