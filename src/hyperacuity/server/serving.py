"""Runs a server until it is asked to end."""

from __future__ import annotations

from hyperacuity.errors import MissingDependency, UsageError
from hyperacuity.server.folders import Folders
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.store import open_store


def serve(options: ServerOptions, *, allow_anyone: bool = False) -> None:
    """Serve until the process gets SIGINT or SIGTERM; running jobs then wait for the next start.

    Args:
        options: How the server is run.
        allow_anyone: Serve other machines without authentication.

    Raises:
        UsageError: Others could reach the server without authentication, the port is taken, or the store cannot be
            opened.
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
        raise UsageError(f"{options.host} can be reached by other machines, and users need not log in")
    folders = Folders(options.data)
    store = open_store(options.store, options.data)
    DeadlineProtocol.header_seconds = options.header_seconds
    try:
        config = uvicorn.Config(
            build(options, store, folders),
            host=options.host,
            port=options.port,
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
        uvicorn.Server(config).run()
    finally:
        store.close()
