"""Names of files that the locale cannot decode or the terminal cannot show."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from tests.cli.process import COMMAND, run, spawn

PLAIN = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHONIO"))} | {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}


@pytest.fixture
def undecodable(tmp_path: Path) -> Path:
    """An image whose name is in Latin-1."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    try:
        PIL.Image.new("RGB", (48, 40), "green").save(path)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 only")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_names_are_shown_as_they_are_if_the_locale_says_nothing(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (16, 12), "green").save(tmp_path / "größe.png")
    done = spawn("upscale", "größe.png", "-n", "bicubic", "-o", "größer.png", folder=tmp_path, env=PLAIN, text=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "größe.png".encode() in done.stdout
    assert "größer.png".encode() in done.stdout
    missing = spawn("upscale", "fehlt ß.png", folder=tmp_path, env=PLAIN, text=False)
    assert missing.stderr.decode() == "hyperacuity: there is no fehlt ß.png\n"
    without_command = spawn("größe.png", folder=tmp_path, env=PLAIN, text=False)
    assert "hyperacuity upscale 'größe.png'" in without_command.stderr.decode()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
@pytest.mark.parametrize("report", ["report.html", "report.json"])
def test_a_report_takes_any_name(report: str, undecodable: Path) -> None:
    folder = undecodable.parent
    done = run("upscale", undecodable.name, "-n", "fast", "--report", report, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    text = (folder / report).read_text(encoding="utf-8")
    assert "caf\\udce9-x2.png" in text
    if report.endswith(".json"):
        assert os.fsencode(Path(json.loads(text)["output"]["name"]).name) == b"caf\xe9-x2.png"


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_a_table_takes_any_name(undecodable: Path) -> None:
    folder = undecodable.parent
    done = run("evaluate", "-n", "bicubic", "--data", ".", "--scale", "2", "--per-image", "a.csv", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    with (folder / "a.csv").open(encoding="utf-8", newline="") as file:
        assert [row["picture"] for row in csv.DictReader(file)] == ["caf\\udce9"]


@pytest.mark.parametrize("report", ["missing/report.html", "missing/report.json"])
def test_a_report_that_cannot_be_written_says_why(report: str, tmp_path: Path) -> None:
    PIL.Image.new("RGB", (16, 12), "green").save(tmp_path / "a.png")
    done = run("upscale", "a.png", "-n", "fast", "--report", report, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"a.png: {report} was not written: the folder missing does not exist; create it first\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["--help"], ["--version"]])
def test_every_command_says_that_its_output_cannot_be_written(arguments: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "hyperacuity: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("name", ["-a.png", "--larger.png"])
def test_a_file_taken_for_an_option_is_named_with_what_to_write(tmp_path: Path, name: str) -> None:
    PIL.Image.new("RGB", (16, 12), "green").save(tmp_path / name)
    done = run("upscale", name, "-n", "bicubic", folder=tmp_path)
    words = " ".join(done.stderr.replace("│", " ").split())
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'{name}' is taken for an option; write ./{name}" in words
    done = run("upscale", f"./{name}", "-n", "bicubic", "-o", "larger.png", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert run("upscale", "-Z", folder=tmp_path).stderr.count("No such option: -Z") == 1
