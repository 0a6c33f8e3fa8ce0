"""For every request: security headers, the Host that was meant, and no changes on behalf of other sites."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
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
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine only."""
    return host in _LOOPBACK or host.startswith("127.")


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

        problem = self._problem(scope["method"], Headers(scope=scope))
        if problem is not None:
            await problem.response()(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)

    def _problem(self, method: str, headers: Headers) -> Problem | None:
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
