"""Runs a server until it is asked to end."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator

from hyperacuity.errors import OTHER, MissingDependency, UsageError, Use
from hyperacuity.server.folders import Folders
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.store import open_store
from hyperacuity.storage import lock_file, storing


def serve(
    options: ServerOptions, *, allow_anyone: bool = False, listening: Callable[[str], None] = lambda address: None
) -> None:
    """Serve until the process gets SIGINT or SIGTERM; running jobs then wait for the next start.

    Args:
        options: How the server is run.
        allow_anyone: Serve other machines without authentication.
        listening: Called with the address of the page, once connections are accepted.

    Raises:
        UsageError: Others could reach the server without authentication, the address cannot be listened on, another
            server uses the data folder, or it or the store cannot be opened.
        MissingDependency: The packages of the server are not installed.
    """
    try:
        import uvicorn

        from hyperacuity.server.http.application import build
        from hyperacuity.server.http.deadlines import DeadlineProtocol
        from hyperacuity.server.http.guard import is_loopback
    except ImportError as error:
        raise MissingDependency("the server needs: pip install 'hyperacuity[server]'") from error
    if not is_loopback(options.host) and not options.auth and not allow_anyone:
        raise UsageError(
            f"{options.host} can be reached by other machines, and users need not log in",
            Use(auth=True),
            Use(no_auth=True),
        )
    _raise_file_limit(2 * options.max_connections + 200)
    with _listen(options.host, options.port) as listener, _alone(options):
        with storing(options.data):
            folders = Folders(options.data)
        store = open_store(options.store, options.data)
        DeadlineProtocol.header_seconds = options.header_seconds
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{port}{options.base_path}/"
        try:
            config = uvicorn.Config(
                build(options, store, folders, lambda: listening(address)),
                http=DeadlineProtocol,
                ws="none",
                limit_concurrency=options.max_connections,
                timeout_keep_alive=int(options.header_seconds),
                timeout_graceful_shutdown=5,
                proxy_headers=bool(options.trusted_proxy),
                forwarded_allow_ips=options.trusted_proxy or None,
                server_header=False,
                log_level="warning",
                access_log=False,
            )
            uvicorn.Server(config).run([listener])
        finally:
            store.close()


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound: an error comes before the store is opened, and port 0 is known by its number."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise UsageError(f"there is no address {host}: {error.strerror}", Use(host=OTHER)) from error
    # With the protocol by its name asyncio switches Nagle's algorithm off; it would cost 40 ms an answer.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(2048)
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}", Use(port=0)) from error
        yield listener


@contextlib.contextmanager
def _alone(options: ServerOptions) -> Iterator[None]:
    """Lock the data folder of a server with SQLite, which takes all running jobs for lost when it starts."""
    if options.store != "sqlite":
        yield
        return
    with storing(options.data):
        options.data.mkdir(parents=True, exist_ok=True)
        file = (options.data / "lock").open("w")
    with file:
        if not lock_file(file):
            raise UsageError(f"another server uses {options.data}; several need a PostgreSQL store")
        yield


def _raise_file_limit(wanted: int) -> None:
    """Allow as many open files as connections need, as far as the system lets this process."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
