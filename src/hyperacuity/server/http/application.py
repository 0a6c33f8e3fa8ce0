"""The application: routes, errors, the page, and what starts and ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import hyperacuity
from hyperacuity.server.folders import Folders
from hyperacuity.server.http import description, identity, jobs, problems, results, system, uploads
from hyperacuity.server.http.events import Notifier
from hyperacuity.server.http.guard import Guard
from hyperacuity.server.http.problems import Problem
from hyperacuity.server.http.state import ServerState
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.store import Store
from hyperacuity.server.workers import Workers

_LOG = logging.getLogger(__name__)
_PAGE = Path(__file__).parents[1] / "page"
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
# Seconds between two sweeps.
_SWEEP = 600.0
# Seconds for which a folder without a row may be one whose row is on its way.
_FRESH = 3600.0
# Threads for what waits: a transaction waits for the disk, and must not keep all others from answering.
_THREADS = 64
# Seconds between two looks for jobs whose worker was lost with its server.
_RECOVER = 5.0


def build(
    options: ServerOptions, store: Store, folders: Folders, started: Callable[[], None] = lambda: None
) -> ASGIApp:
    """Build the application. Its workers start with it and end with it.

    Args:
        options: How the server is run.
        store: Open; the caller closes it.
        folders: Of the data folder.
        started: Called when requests are about to be answered.
    """
    workers = Workers(options, store, folders)
    server = ServerState(options, store, folders, workers, Notifier(store))
    app = FastAPI(
        title="Hyperacuity",
        version=hyperacuity.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        root_path=options.base_path,
        responses={"default": problems.DOCUMENTED},
        lifespan=_lifespan,
    )
    app.state.server, app.state.started = server, started
    problems.install(app)
    for router in (uploads.router, results.router, jobs.router, system.router, identity.router):
        app.include_router(router, prefix="/v1")
    app.include_router(system.health)
    description.describe_logins(app)
    app.router.add_route("/v1/{path:path}", _refuse, list(_METHODS), include_in_schema=False)
    app.mount("/", StaticFiles(directory=_PAGE, html=True))
    return Guard(app, options)


async def _refuse(request: Request) -> Response:
    """Answer what no route takes: 405 with all methods of that address, or 404."""
    routes = [route for route in request.app.routes if getattr(route, "endpoint", _refuse) is not _refuse]
    routes += [route for route in request.app.routes if not isinstance(route, Route | Mount)]  # FastAPI's own
    scopes = ({**request.scope, "method": method, "path_params": {}} for method in _METHODS)
    allowed = {scope["method"] for scope in scopes if any(route.matches(scope)[0] == Match.FULL for route in routes)}
    if not allowed:
        raise Problem(404, "there is nothing at this address")
    methods = ", ".join(sorted(allowed))
    raise Problem(405, f"{request.method} is not possible here; {methods} is", {"Allow": methods})


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    server: ServerState = app.state.server
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "waiting"))
    only = server.options.store == "sqlite"
    await asyncio.to_thread(server.store.recover, server.result_expiry(), everything=only)
    await asyncio.to_thread(sweep, server, age=0.0 if only else _FRESH)
    server.notifier.start()
    server.workers.start()
    tasks = [
        asyncio.create_task(_repeat(_SWEEP, server, sweep)),
        asyncio.create_task(_repeat(_RECOVER, server, _recover)),
    ]
    app.state.started()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await server.notifier.stop()
        await asyncio.to_thread(server.workers.stop)


async def _repeat(seconds: float, server: ServerState, work: object) -> None:
    assert callable(work)
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(work, server)
        except Exception:  # the next round tries again
            _LOG.exception("upkeep failed")


def _recover(server: ServerState) -> None:
    if server.store.recover(server.result_expiry()):
        server.workers.notify()


def sweep(server: ServerState, age: float = _FRESH) -> None:
    """Remove what has expired, and what no row of the store names."""
    uploads_over, jobs_over = server.store.expired(server.store.now())
    for upload in set(uploads_over) - server.writing:
        server.store.remove_upload(upload)
        server.folders.remove_upload(upload)
    for job in jobs_over:
        server.store.remove_job(job)
        server.folders.remove_job(job)
    server.folders.sweep(*server.store.known(), age)
