"""`hyperacuity serve`: the server for browsers and other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[Path | None, typer.Option(help="Folder for uploads, results and jobs; hyperacuity-data if missing.")]
Store = Annotated[
    str | None, typer.Option(help="Where jobs are kept: sqlite (in the data folder) or postgresql://... .")
]
Config = Annotated[Path | None, typer.Option(help="A TOML file with options and limits.")]


def command(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if missing.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 7860 if missing, 0 for any free one.")] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    data: Data = None,
    store: Store = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that compute; 1 if missing.")] = None,
    base_path: Annotated[str | None, typer.Option(help="Path in front of all addresses, such as /photos.")] = None,
    trusted_proxy: Annotated[
        str | None, typer.Option(help="Address of the proxy whose X-Forwarded-* headers are believed.")
    ] = None,
    config: Config = None,
    auth: Annotated[
        bool | None, typer.Option("--auth/--no-auth", help="Whether users must log in; no, on this machine alone.")
    ] = None,
) -> None:
    """Serve a page and an HTTP interface that make images and videos larger.

    hyperacuity serve --open                     for yourself, on this machine
    hyperacuity users add ada                    then, for others on your network:
    hyperacuity serve --host 0.0.0.0 --auth
    """
    import webbrowser

    from hyperacuity.server.serving import serve

    options = read_server_options(
        config,
        host=host,
        port=port,
        data=data,
        store=store,
        workers=workers,
        base_path=base_path,
        trusted_proxy=trusted_proxy,
        auth=auth,
    )

    def listening(address: str) -> None:
        sys.stdout.write(f"Hyperacuity listens on {address}\n")
        sys.stdout.flush()
        if browse:
            webbrowser.open(address)

    serve(options, allow_anyone=auth is False, listening=listening)


def read_server_options(config: Path | None, **changes: Any) -> Any:
    """Returns the options of the file, replaced by those of the command line that are not None."""
    from hyperacuity.server.options import read_options

    return read_options(config, {name: value for name, value in changes.items() if value is not None})
