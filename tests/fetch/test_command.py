"""`hyperacuity fetch` and `hyperacuity models --available`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image
import pytest

from tests.cli.process import COMMAND, run
from tests.fetch.server import Server, serving, slowly


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_name_becomes_a_model_that_upscales(mirror: Server, tmp_path: Path) -> None:
    PIL.Image.new("RGB", (12, 10), "teal").save(tmp_path / "a.png")
    result = run("upscale", "-n", "Tiny_x2", "a.png", folder=tmp_path)
    assert result.returncode == 1
    assert "run: hyperacuity fetch Tiny_x2" in result.stderr

    result = run("fetch", "Tiny_x2", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "licence MIT" in result.stderr
    assert f"https://weights.invalid/Tiny_x2.pth, from the mirror {mirror.address}/weights/Tiny_x2.pth" in result.stderr
    assert "hyperacuity upscale -n Tiny_x2 -s 2" in result.stdout

    result = run("upscale", "-n", "Tiny_x2", "a.png", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(tmp_path / "a-x2.png") as larger:
        assert larger.size == (24, 20)
    assert "Tiny_x2" in run("models", folder=tmp_path).stdout
    assert "installed already" in run("fetch", "Tiny_x2", folder=tmp_path).stdout


def test_a_licence_is_agreed_to_by_an_option(mirror: Server, tmp_path: Path) -> None:
    result = run("fetch", "Closed_x2", folder=tmp_path)
    assert result.returncode == 1
    assert "the licence of Closed_x2 is CC-BY-NC-4.0" in result.stderr
    assert "add --accept-licence" in result.stderr
    assert not mirror.requests


def test_offline_names_the_ways_out(mirror: Server, tmp_path: Path, cache: Path) -> None:
    result = run("fetch", "Tiny_x2", "--offline", folder=tmp_path)
    assert result.returncode == 1
    assert "leave out --offline, or add --from FILE" in result.stderr
    assert not mirror.requests
    assert not cache.exists()


def test_what_can_be_fetched_is_listed(tmp_path: Path) -> None:
    result = run("models", "--available", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("RealESRGAN_x4plus "))
    for word in ("rrdb", "x4", "67.0", "BSD-3-Clause", "xinntao/Real-ESRGAN"):
        assert word in line
    assert "pip install 'hyperacuity[train]'" in result.stdout
    entries = json.loads(run("models", "--available", "--json", folder=tmp_path).stdout)
    assert entries["MDSR"]["scales"] == [2, 3, 4]
    assert entries["MDSR"]["free"] is False


def test_ctrl_c_leaves_what_has_arrived_and_nothing_else(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(100_000)
    with serving(slowly(content, 50, 0.1)) as server:
        environment = os.environ | {"HYPERACUITY_MIRROR": server.address, "HYPERACUITY_CACHE": str(cache)}
        process = subprocess.Popen(
            [*COMMAND, "fetch", "EDSR_baseline_x2", "--accept-licence"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        part = cache / "downloads" / "edsr_baseline_x2-1bc95232.pt.part"
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert files(cache) == {"downloads/edsr_baseline_x2-1bc95232.pt.part"}
    kept = part.read_bytes()
    assert content.startswith(kept)
    assert 0 < len(kept) < len(content)

    with serving(lambda handler: handler.part(content)) as server:
        monkeypatch.setenv("HYPERACUITY_MIRROR", server.address)
        result = run("fetch", "EDSR_baseline_x2", "--accept-licence", folder=tmp_path)
        assert server.asked("Range") == [f"bytes={len(kept)}-", None]
    assert result.returncode == 1
    assert f"its SHA-256 is {hashlib.sha256(content).hexdigest()[:8]}, not 1bc95232" in result.stderr
    assert files(cache) == set()


def test_nothing_is_asked_of_a_network_without_the_command(tmp_path: Path, cache: Path) -> None:
    """All other commands work while every connection fails."""
    code = "import socket\ndef no(*a, **k): raise AssertionError('network')\nsocket.socket.connect = no\n"
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    program = [sys.executable, "-c", code + COMMAND[-1]]
    result = subprocess.run([*program, "upscale", "a.png", "-n", "fast"], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert not cache.exists()


def test_a_terminal_asks_and_shows_the_time_that_is_left(cache: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="needs a terminal of Unix")
    content = os.urandom(100_000)
    with serving(slowly(content, 8, 0.06)) as server:
        terminal, program = pty.openpty()
        environment = {"HYPERACUITY_MIRROR": server.address, "HYPERACUITY_CACHE": str(cache), "TERM": "xterm"}
        with subprocess.Popen(
            [*COMMAND, "fetch", "EDSR_baseline_x2"],
            cwd=tmp_path,
            env=os.environ | environment,
            stdin=program,
            stdout=program,
            stderr=program,
        ) as process:
            os.close(program)
            os.write(terminal, b"y\n")
            shown = b""
            with contextlib.suppress(OSError):  # the end of a terminal is an error
                while data := os.read(terminal, 4096):
                    shown += data
            os.close(terminal)
        assert process.returncode == 1
    text = shown.decode()
    for words in ("unstated (the code is MIT)", "Do you agree", "downloading", "kB/s", "0:00:0", "nothing has read it"):
        assert words in text
    assert files(cache) == set()
