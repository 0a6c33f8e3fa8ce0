"""Servers that many tests share: one as a person has it on a desk, one with users and small limits."""

from __future__ import annotations

import io
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")

from tests.server import postgres
from tests.server.running import Client, Server

STRICT = """
auth = true
max_upload_bytes = 100_000
max_input_pixels = 10_000
max_output_pixels = 40_000
max_video_seconds = 1.0
max_video_width = 60
max_video_height = 60
max_frames = 5
max_waiting_jobs = 3
max_bytes = 500_000
workers = 1
"""


@dataclass
class Users:
    """The server with users, and a client of each."""

    server: Server
    ada: Client
    bob: Client


def png(height: int = 24, width: int = 32, seed: int = 0) -> bytes:
    """Return a small image as PNG."""
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def users(data: Path, *arguments: str, text: str = "") -> str:
    """Run the command `users`."""
    command = [sys.executable, "-m", "hyperacuity", "users", *arguments, "--data", str(data)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    yield made
    assert made.stop() == 143  # as every command that SIGTERM ends
    assert "Traceback" not in (made.data / "log").read_text()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as made:
        yield made


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    data = tmp_path_factory.mktemp("strict")
    for name in ("ada", "bob"):
        users(data, "add", name, text=f"password of {name}\n")
    tokens = [users(data, "token", name) for name in ("ada", "bob")]
    made = Server(data, config=STRICT)
    with made.client(tokens[0]) as ada, made.client(tokens[1]) as bob:
        yield Users(made, ada, bob)
    assert made.stop() == 143  # as every command that SIGTERM ends
    log = (data / "log").read_text()
    assert "Traceback" not in log
    assert not any(token in log for token in tokens)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    with postgres.cluster() as folder:
        yield folder


@pytest.fixture
def database(postgres_cluster: str) -> str:
    """The address of an empty PostgreSQL database."""
    import psycopg

    name = f"test{secrets.token_hex(8)}"
    with psycopg.connect(postgres.address(postgres_cluster, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres.address(postgres_cluster, name)


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, by default without workers."""
    made: list[Server] = []

    def start(*arguments: str, workers: int = 0, config: str = "") -> Server:
        folder = tmp_path / f"data{len(made)}"
        made.append(Server(folder, "--workers", str(workers), *arguments, config=config))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.stop()
