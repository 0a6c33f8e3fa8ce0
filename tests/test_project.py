"""The project's own files agree: version, changelog, citation, wheel, hooks; and nothing names where they were made."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import hyperacuity

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs").glob("*.md")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built without a network."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    build = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_has_the_version_and_the_models(wheel: Path) -> None:
    version = hyperacuity.__version__
    assert wheel.name == f"hyperacuity-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = HeaderParser().parsestr(archive.read(f"hyperacuity-{version}.dist-info/METADATA").decode())
    assert metadata["Version"] == version
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"hyperacuity/zoo/SHA256SUMS", "hyperacuity/py.typed"} <= names
    page = {f"hyperacuity/server/page/{path.name}" for path in (ROOT / "src/hyperacuity/server/page").iterdir()}
    assert {"hyperacuity/server/page/index.html", "hyperacuity/server/page/main.js"} <= page <= names
    assert any(name.startswith("hyperacuity/zoo/") and name.endswith(".onnx") for name in names)
    assert not any(name.startswith(("tests/", "docs/", "examples/")) for name in names)


def test_changelog_and_citation_have_the_version() -> None:
    sections = re.findall(r"^## \[?([^\]\s]+)\]?", _text("CHANGELOG.md"), re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert sections[1] == hyperacuity.__version__
    assert re.search(rf"^version: {re.escape(hyperacuity.__version__)}$", _text("CITATION.cff"), re.MULTILINE)


def test_hooks_use_the_pinned_versions() -> None:
    pinned = dict(line.split("==") for line in _text("constraints.txt").splitlines() if "==" in line and line[0] != "#")
    hooks = re.findall(r"repo: \S+/(\S+)-pre-commit\n\s+rev: v(\S+)", _text(".pre-commit-config.yaml"))
    assert hooks
    assert {name: pinned[name] for name, _ in hooks} == dict(hooks)
    local = re.findall(r"entry: \.venv/bin/(\S+)", _text(".pre-commit-config.yaml"))
    assert local == [
        line.split("/")[-1] for line in re.findall(r"^\t\$\(BIN\)/(mypy|lint-imports)$", _text("Makefile"), re.M)
    ]


def test_constraints_are_sorted() -> None:
    names = [line.split("==")[0] for line in _text("constraints.txt").splitlines() if not line.startswith("#")]
    assert names == sorted(names, key=str.lower)


def test_committed_text_names_no_registry_and_no_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    # Joined here, so that this file names none either.
    words = ["py" + "pi.org", "python" + "hosted.org", "/wo" + "rk/", "/ro" + "ot/"]
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [f"{name}: {word}" for word in words if word in text]
    assert found == []


def test_design_has_the_layers_in_their_order() -> None:
    contract = tomllib.loads(_text("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    layers = [re.findall(r"\w+", line) for line in contract["layers"] if line != "__main__"]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", _text("docs/design.md"), re.MULTILINE)
    assert [sorted(re.findall(r"\w+", row)) for row in rows] == [sorted(layer) for layer in layers]


def test_contributing_names_files_and_tables_that_exist() -> None:
    table = _text("CONTRIBUTING.md").split("| to add |")[1].split("\n\n")[0]
    homes = re.findall(r"`([A-Z]+)` in `([\w/.]+)`", table)
    assert len(homes) >= 8
    assert [name for name, path in homes if f"\n{name}" not in _text(f"src/hyperacuity/{path}")] == []


@pytest.mark.parametrize("page", ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in DOCS)])
def test_names_imported_on_a_page_exist(page: str) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", _text(page), re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                module = pytest.importorskip(node.module)
                assert [each.name for each in node.names if not hasattr(module, each.name)] == []


def test_readme_stays_short() -> None:
    assert len(_text("README.md").splitlines()) <= 110


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md", "recipes/README.md"]
)
def test_links_to_files_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", _text(page))
    assert [each for each in targets if "://" not in each and not (folder / each).exists()] == []
