"""A server in a process of its own, and a client of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

TUS = {"Tus-Resumable": "1.0.0"}
ENDED = ("done", "failed", "cancelled")


class Server:
    """The command `serve` on any free port."""

    def __init__(self, data: Path, *arguments: str, config: str = "", environment: Mapping[str, str] | None = None):
        self.data, self._arguments = data, list(arguments)
        self._environment = dict(environment or {})
        data.mkdir(parents=True, exist_ok=True)
        if config:
            (data / "server.toml").write_text(config)
            self._arguments += ["--config", str(data / "server.toml")]
        self.start()

    def start(self) -> None:
        """Start the process and wait until it listens."""
        command = [sys.executable, "-m", "hyperacuity", "serve", "--port", "0", "--data", str(self.data)]
        begun = time.monotonic()
        self.log = (self.data / "log").open("ab")
        self.process = subprocess.Popen(
            command + self._arguments,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | self._environment,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Hyperacuity listens on http://"), (line, (self.data / "log").read_text())
        self.address = line.split()[-1]
        self.start_seconds = time.monotonic() - begun

    def client(self, token: str = "", **options: Any) -> Client:
        """Return a client of it."""
        return Client(self.address, token, **options)

    def kill(self) -> None:
        """End it as a power cut does; its workers see their input end."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """End it as a system does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(300)
        finally:
            self.process.kill()
            self._ended()
        return self.process.returncode

    def _ended(self) -> None:
        self.process.wait()
        self.log.close()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def workers(self) -> list[int]:
        """Return the numbers of its worker processes."""
        import psutil

        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                found += [child.pid] * ("hyperacuity.server.worker" in child.cmdline())
        return found


class Client(httpx.Client):
    """Requests to /v1, and steps that many tests take."""

    def __init__(self, address: str, token: str = "", **options: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=address + "v1/", headers=headers, timeout=300, trust_env=False, **options)

    def raw(self, head: str, seconds: float = 10) -> str:
        """Send lines and the end of a head, as no client would, and return the beginning of the answer."""
        host, port = str(self.base_url.host), self.base_url.port
        with socket.create_connection((host, port or 80), seconds) as connection:
            line, _, rest = head.partition("\r\n")
            connection.sendall(f"{line}\r\nHost: {host}:{port}\r\n{rest}\r\n".encode("latin-1"))
            answer = b""
            while part := connection.recv(4096):
                answer += part
                if b"\r\n\r\n" in answer and len(answer.split(b"\r\n\r\n", 1)[1]) > 50:
                    break
        return answer.decode()

    def create(self, length: int, name: str = "image.png", **headers: str) -> httpx.Response:
        """Begin an upload."""
        import base64

        metadata = f"filename {base64.b64encode(name.encode()).decode()}"
        return self.post("uploads", headers=TUS | {"Upload-Length": str(length), "Upload-Metadata": metadata} | headers)

    def append(self, upload: str, offset: int, content: Any, **headers: str) -> httpx.Response:
        """Send bytes of an upload."""
        kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        return self.patch(f"uploads/{upload}", headers=TUS | kind | headers, content=content)

    def upload(self, content: bytes, name: str = "image.png") -> str:
        """Send a file and return the id of its upload."""
        answer = self.create(len(content), name)
        assert answer.status_code == 201, answer.text
        upload = answer.headers["Location"].split("/")[-1]
        assert self.append(upload, 0, content).status_code == 204
        return upload

    def submit(self, upload: str, **submission: Any) -> httpx.Response:
        """Submit a job."""
        headers = submission.pop("headers", {})
        return self.post("jobs", json={"upload": upload, **submission}, headers=headers)

    def job(self, content: bytes, name: str = "image.png", **submission: Any) -> dict[str, Any]:
        """Send a file, submit its job and return it."""
        answer = self.submit(self.upload(content, name), **submission)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, job: str, seconds: float = 300) -> dict[str, Any]:
        """Return a job when it has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found: dict[str, Any] = self.get(f"jobs/{job}").json()
            if found["state"] in ENDED and found.get("previews", True):  # which come soon after the result
                return found
            time.sleep(0.05)
        pytest.fail(f"job {job} has not ended after {seconds} s: {found}")


def check_problem(answer: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    """Check that an answer is a problem document which says these words and nothing of the server's inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["status"] == status
    assert content["title"]
    for word in words:
        assert word in content["detail"]
    for secret in ("Traceback", 'File "', "/home", "/tmp", "site-packages", "uploads/"):
        assert secret not in answer.text
    return content
