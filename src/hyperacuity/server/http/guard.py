"""For every request: security headers, the Host that was meant, and no changes on behalf of other sites."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hyperacuity.server.http.problems import Problem
from hyperacuity.server.options import ServerOptions

_POLICY = (
    "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Requests whose bodies are files: their own code bounds size and speed. All other bodies are small JSON.
_FILES = re.compile(r"(PATCH .*/v1/uploads/\w+|POST .*/v1/upscale)")
_MOST_JSON = 1 << 20


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """The outermost layer of the application.

    Args:
        app: What is inside.
        options: The server's.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self.app, self.options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        files = _FILES.fullmatch(f"{scope['method']} {scope['path']}") is not None
        problem = self._problem(scope["method"], Headers(scope=scope), files)
        if problem is not None:
            await problem.response()(scope, receive, guarded)
        elif files:
            await self.app(scope, receive, guarded)
        else:
            await self.app(scope, _Bounded(receive, self.options.header_seconds), guarded)

    def _problem(self, method: str, headers: Headers, files: bool) -> Problem | None:
        declared = headers.get("content-length", "")
        if not files and declared.isdecimal() and int(declared) > _MOST_JSON:
            return Problem(413, f"a body of {int(declared):,} bytes; this request takes {_MOST_JSON:,}")
        host = headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if is_loopback(self.options.host) and not self.options.trusted_proxy and not is_loopback(name.strip("[]")):
            # A page of another site whose name was made to point here (DNS rebinding).
            return Problem(421, f"this server is not called {host!r}")
        if method in ("GET", "HEAD", "OPTIONS"):
            return None
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return Problem(403, "changes are taken from this server's own page and from programs only")
        origin = headers.get("origin")
        if origin is not None and origin.split("://", 1)[-1] != host:
            return Problem(403, "changes are taken from this server's own page and from programs only")
        return None


class _Bounded:
    """Receives a small body: it ends one that is longer than it announced, or slow."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive, self._seconds = receive, seconds
        self._bytes, self._end, self._complete = 0, time.monotonic() + seconds, False

    async def __call__(self) -> Message:
        if self._complete:  # what follows is the end of the connection, for which a stream may wait long
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._end - time.monotonic()))
        except TimeoutError as error:
            raise HTTPException(408, f"the body took longer than {self._seconds:g} seconds") from error
        self._bytes += len(message.get("body", b""))
        if self._bytes > _MOST_JSON:
            raise HTTPException(413, f"the body is longer than {_MOST_JSON:,} bytes")
        self._complete = not message.get("more_body", False)
        return message
