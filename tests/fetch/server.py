"""A web server on loopback that serves one file, well or badly."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Respond = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each request by the server's `respond`, and notes it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        with contextlib.suppress(ConnectionError):
            self.server.respond(self)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def begin(self) -> int:
        """The first byte that is asked for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def part(self, content: bytes, until: int | None = None, **headers: object) -> None:
        """The rest of `content` from where it is asked for; it breaks off at `until`."""
        begin, size = self.begin, len(content)
        if begin >= size > 0:
            self.head(416, Content_Range=f"bytes */{size}", Content_Length=0)
            return
        ranged = {"Content_Range": f"bytes {begin}-{size - 1}/{size}"} if "Range" in self.headers else {}
        self.head(206 if ranged else 200, **({"Content_Length": size - begin, "ETag": '"1"'} | ranged | headers))
        self.wfile.write(content[begin:until])


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, respond: Respond) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.respond = respond
        self.requests: list[tuple[str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked(self, header: str) -> list[str | None]:
        return [headers.get(header) for _, headers in self.requests]


@contextlib.contextmanager
def serving(respond: Respond) -> Iterator[Server]:
    server = Server(respond)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def slowly(content: bytes, pieces: int, pause: float) -> Respond:
    """Sends the file in pieces with pauses between them."""

    def respond(handler: Handler) -> None:
        begin = handler.begin
        step = -(-len(content) // pieces)
        ranged = {"Content_Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        handler.head(206 if begin else 200, Content_Length=len(content) - begin, **ranged)
        for start in range(begin, len(content), step):
            handler.wfile.write(content[start : start + step])
            time.sleep(pause)

    return respond
