"""An S3 server for tests, and a proxy before it that fails at times."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEYS = {"AWS_ACCESS_KEY_ID": "testkey", "AWS_SECRET_ACCESS_KEY": "test-secret-0123"}
READER = {"AWS_ACCESS_KEY_ID": "readkey", "AWS_SECRET_ACCESS_KEY": "read-secret-0123"}
# Seconds for the server to begin; a busy machine needs many times the usual 6.
_PATIENCE = 180
# Seconds by which the proxy delays a slow answer.
_DELAY = 0.5
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")


def find_server() -> str | None:
    """The program of SeaweedFS, from its wheel or from the system."""
    own = Path(sys.executable).with_name("weed")
    return str(own) if own.exists() else shutil.which("weed")


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run the server; yields its URL."""
    identities = [
        {"name": name, "credentials": [_credential(keys)], "actions": actions}
        for name, keys, actions in (
            ("writer", KEYS, ["Admin", "Read", "Write", "List", "Tagging"]),
            ("reader", READER, ["Read", "List"]),
        )
    ]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": identities}))
    process, port = _begin(folder, config)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()  # it ignores SIGTERM for a while
        process.wait()


def _begin(folder: Path, config: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The process and its port, once an object can be written; ports that another process takes are tried anew."""
    program = find_server()
    assert program is not None
    log = folder / "log"
    error = ""
    for _ in range(3):
        ports = free_ports(len(_PORTS) + 2)
        command = [program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
        command += [f"-{name}={port}" for name, port in zip(_PORTS, ports, strict=False)]
        command += [f"-s3.config={config}", f"-s3.port={ports[-1]}", f"-s3.port.grpc={ports[-2]}"]
        # Several servers on one machine must not share the fixed ports of what is not needed; and it reports nothing.
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        command += ["-master.volumeSizeLimitMB=64", "-volume.max=50"]
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, cwd=folder)
        error = _wait(ports[-1], process)
        if not error:
            return process, ports[-1]
        process.kill()
        process.wait()
    raise AssertionError(f"the server did not begin: {error}\n{log.read_text()[-2000:]}")


def _credential(keys: dict[str, str]) -> dict[str, str]:
    return {"accessKey": keys["AWS_ACCESS_KEY_ID"], "secretKey": keys["AWS_SECRET_ACCESS_KEY"]}


def _wait(port: int, process: subprocess.Popen[bytes]) -> str:
    """Wait until an object can be written. Returns "" then, else why it cannot."""
    import s3fs

    error = "it ended"
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            files = s3fs.S3FileSystem(
                key=KEYS["AWS_ACCESS_KEY_ID"],
                secret=KEYS["AWS_SECRET_ACCESS_KEY"],
                endpoint_url=f"http://127.0.0.1:{port}",
                skip_instance_cache=True,
                use_listings_cache=False,
            )
            if not files.exists("bucket"):
                files.mkdir("bucket")
            files.pipe_file("bucket/ready", b"ready")
            return ""
        except Exception as failure:
            error = str(failure)
            time.sleep(0.5)
    return error


class FailingProxy:
    """Passes requests on to a server; some of them get 503, and some of their answers are lost.

    Args:
        url: Of the server.
        fails: Given the count of requests and the method, returns "503" (the server does not see the request), "lost"
            (the server does, but the client gets 503), "gone" (the connection ends), "silent" (no answer until the
            proxy is closed), "slow" (it answers later), or "".

    Attributes:
        url: Of the proxy.
        failed: How many requests failed, or were slow.
    """

    def __init__(self, url: str, fails: Callable[[int, str], str]) -> None:
        self.failed, self._closed = 0, threading.Event()
        host = url.removeprefix("http://")
        count = itertools.count()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = _body(self)
                failure = fails(next(count), self.command)
                if failure in ("gone", "silent"):
                    proxy.failed += 1
                    proxy._closed.wait(0 if failure == "gone" else None)
                    self.close_connection = True
                    return
                if failure == "slow":
                    proxy.failed += 1
                    proxy._closed.wait(_DELAY)
                    failure = ""
                if failure != "503":
                    answer, content = _ask(host, self.command, self.path, dict(self.headers), body)
                if failure:
                    proxy.failed += 1
                    self.send_response(503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815 - names of the library

            def log_message(self, *given: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    raw = b""
    while True:
        line = handler.rfile.readline()
        size = int(line.split(b";")[0], 16)
        raw += handler.rfile.read(size)
        handler.rfile.readline()
        if size == 0:
            return raw


def _ask(
    host: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        # The signature covers the client's Host header, so it is passed on as it is.
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "expect"):
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()
