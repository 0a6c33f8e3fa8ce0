"""Ctrl-C ends the command quietly, whenever it is pressed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import PIL.Image
import pytest

from hyperacuity import storage
from hyperacuity.cli.interruption import ctrl_c_raises
from tests.cli.process import COMMAND
from tests.test_imports import loaded_by

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows cannot send SIGINT to one process")

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _with_ctrl_c() -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        pytest.skip("these tests were started with Ctrl-C ignored, and so would be the command")


def test_the_command_starts_where_ctrl_c_is_caught_and_nothing_is_imported_before() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert declared == {"hyperacuity": "hyperacuity.__main__:main"}
    loaded = loaded_by("import hyperacuity.__main__") - loaded_by("")
    assert loaded == {"__future__", "hyperacuity", "hyperacuity.__main__"}


def interrupted(folder: Path, milliseconds: int, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The result of a program that gets SIGINT so long after it has written a line."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


# Says so when the command imports its first module.
BEGIN = """
import sys
class Watch:
    def find_spec(self, name, *rest):
        if name in ("signal", "hyperacuity.cli"):
            sys.meta_path.remove(self)
            print("begun", flush=True)
sys.meta_path.insert(0, Watch())
"""


@pytest.mark.parametrize("milliseconds", [0, 30, 80, 150, 300, 500])
def test_ctrl_c_is_quiet_from_the_first_moment(tmp_path: Path, milliseconds: int) -> None:
    PIL.Image.new("L", (3000, 3000)).save(tmp_path / "large.png")
    result = interrupted(tmp_path, milliseconds, BEGIN + COMMAND[-1], "upscale", "large.png", "-s", "8")
    assert result.returncode == 130
    assert result.stderr in ("", "stopping; press Ctrl-C again to stop at once\n")
    assert [path.name for path in tmp_path.iterdir()] == ["large.png"]


# What a library may do with the exception: pybind11 turns it into an ImportError while a module is imported.
MISTAKEN = {
    "turned into another error": "try: wait()\nexcept KeyboardInterrupt: raise ImportError('initialization failed')",
    "turned into an error of ours": (
        "try: wait()\nexcept KeyboardInterrupt: raise hyperacuity.UsageError('no such package')"
    ),
    "suppressed": "try: wait()\nexcept KeyboardInterrupt: pass",
    "in a callback": "class Dying:\n    def __del__(self): wait()\nDying()\nwait()",
}


@pytest.mark.parametrize("how", MISTAKEN)
def test_ctrl_c_ends_the_command_whatever_a_library_makes_of_it(tmp_path: Path, how: str) -> None:
    program = "\n".join(
        (
            "import sys, threading, hyperacuity.__main__, hyperacuity.cli",
            "def wait():",
            "    print('begun', flush=True)",
            "    threading.Event().wait(100)",
            "def work():",
            *(f"    {line}" for line in MISTAKEN[how].splitlines()),
            "hyperacuity.cli.app = work",
            "hyperacuity.cli._add = lambda asked: None",
            "hyperacuity.__main__.main()",
        )
    )
    result = interrupted(tmp_path, 0, program)
    assert (result.returncode, result.stderr) == (130, "")


def test_a_job_in_the_background_keeps_ctrl_c_ignored(tmp_path: Path) -> None:
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('begun', flush=True)\n"
    result = interrupted(tmp_path, 0, ignore + COMMAND[-1], "models", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)


def test_the_handler_from_before_is_there_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), ctrl_c_raises():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_may_come_while_a_partial_file_is_opened(tmp_path: Path) -> None:
    """The handler runs in the thread that holds the lock."""
    program = "\n".join(
        (
            "import builtins, pathlib, signal, sys",
            "from hyperacuity import __main__, storage",
            "signal.signal(signal.SIGINT, __main__._leave)",
            "opened = builtins.open",
            "def interrupted(*given, **named):",
            "    file = opened(*given, **named)",
            "    signal.raise_signal(signal.SIGINT)",
            "    return file",
            "builtins.open = interrupted",
            "storage.Partial(pathlib.Path(sys.argv[1]))",
        )
    )
    result = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.png")], timeout=60, check=False)
    assert result.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_partial_file_that_could_not_be_opened_is_not_kept_in_mind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        storage.Partial(tmp_path / "missing" / "a.png")
    assert not {each for each in storage._open if tmp_path in each.path.parents}
