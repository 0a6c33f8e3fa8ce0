"""`hyperacuity live`: its output, its ways to end, and its files."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hyperacuity.cli import live
from hyperacuity.errors import HyperacuityError
from tests.cli.process import COMMAND, run, spawn
from tests.live.streams import Camera, played, transport

app = typer.Typer()
app.command()(live.command)


@pytest.fixture(scope="module")
def camera() -> Iterator[Camera]:
    with Camera(transport(50, sound=True)) as camera:
        yield camera


def begin(*arguments: str, folder: Path, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "live", *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def wait_for(path: Path, size: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and (not path.exists() or path.stat().st_size < size):
        time.sleep(0.02)


def test_json_describes_the_run(camera: Camera, tmp_path: Path) -> None:
    sink = str(tmp_path / "a.ts")
    result = CliRunner().invoke(app, [camera.url, "-o", sink, "--duration", "600ms", "-n", "bicubic", "--json"])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    report = json.loads(result.stdout)
    assert (report["input_size"], report["output_size"]) == ([48, 36], [96, 72])
    assert report["sent"] == sum(report["models"].values()) == len(played(tmp_path / "a.ts")[0])
    assert report["arrived"] >= report["sent"]
    assert 0 < report["latency"] <= report["latency_95"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_signals_close_the_sink_properly(number: signal.Signals, camera: Camera, tmp_path: Path) -> None:
    process = begin(camera.url, "-o", "hls/", "-n", "bicubic", "--keys", "0.4", folder=tmp_path)
    wait_for(tmp_path / "hls/index.m3u8", 1)
    process.send_signal(number)
    _, error = process.communicate(timeout=10)
    assert process.returncode == 0, error
    assert b"48x36 -> 96x72  bicubic\n" in error
    assert b"dropped, bicubic" in error.splitlines()[-1]
    assert (tmp_path / "hls/index.m3u8").read_text().endswith("#EXT-X-ENDLIST\n")
    assert not list((tmp_path / "hls").glob("*.tmp"))
    assert played(tmp_path / "hls/index.m3u8")[0]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_stalled_consumer_does_not_block_the_end(camera: Camera, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        process = begin(camera.url, "-o", address, "-n", "bicubic", "-s", "8", "--crf", "0", folder=tmp_path)
        connection, _ = server.accept()
        time.sleep(1)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        connection.close()
    assert process.returncode == 0
    assert time.monotonic() - start < 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_an_unread_pipe_does_not_block_the_end(camera: Camera, tmp_path: Path) -> None:
    process = begin(camera.url, "-o", "-", "-n", "bicubic", "-s", "8", "--crf", "0", folder=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(188)[0] == 0x47
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert b"Traceback" not in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


@pytest.mark.slow
def test_pipes_on_both_sides(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(b"".join(transport(20)))
    with (tmp_path / "a.ts").open("rb") as source:
        result = spawn("live", "-", "-o", "-", "-n", "bicubic", folder=tmp_path, stdin=source, text=False)
    assert result.returncode == 0, result.stderr
    frames, _, _ = played(result.stdout)
    assert frames[0].shape == (72, 96, 3)


@pytest.mark.slow
def test_the_reader_of_a_pipe_may_close_it(camera: Camera, tmp_path: Path) -> None:
    process = begin(camera.url, "-o", "-", "-n", "bicubic", folder=tmp_path)
    assert process.stdout is not None
    assert process.stdout.read(188)[0] == 0x47
    process.stdout.close()
    assert process.wait(10) == 1
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_disk_that_fills_up_is_an_error(camera: Camera, tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = begin(camera.url, "-o", "hls/", "-n", "bicubic", folder=tmp_path, preexec_fn=limit)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"hls/index.m3u8 was not written: the disk is full" in error
    assert b"Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/dev/video99", "-o", "a.ts"], "no such camera"),
        (["http://127.0.0.1:1/", "-o", "there.ts"], "there.ts exists"),
        (["http://127.0.0.1:1/", "-o", "no/a.ts"], "the folder no does not exist"),
        (["http://127.0.0.1:1/", "-o", "a.ts", "--latency", "soon"], "give seconds"),
        (["http://127.0.0.1:1/", "-o", "a.ts", "--latency", "0"], "latency must be a positive number"),
        (["http://127.0.0.1:1/", "-o", "a.ts", "--codec", "av1"], "MPEG-TS and HLS hold h264 and h265"),
        (["http://127.0.0.1:1/", "-o", "a.ts", "--capture-size", "1280"], "write WIDTHxHEIGHT"),
        (["http://127.0.0.1:1/", "-o", "a.ts", "-n", "acute-5k"], "no model"),
    ],
)
def test_mistakes_are_explained(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.ts").touch()
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, HyperacuityError)
    assert message in str(error)
    assert {path.name for path in tmp_path.iterdir()} == {"there.ts"}


def test_errors_are_one_line_without_secrets(tmp_path: Path) -> None:
    arguments = ("rtsp://user:secret@127.0.0.1:1/a?key=secret", "-o", "a.ts", "--give-up", "0.4", "-n", "bicubic")
    result = run("live", *arguments, folder=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("hyperacuity: rtsp://127.0.0.1:1/a?...: no frame for 0.4 s")
    assert "secret" not in result.stderr + result.stdout
