"""Results, previews, and archives of several results."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.datastructures import MutableHeaders
from starlette.types import Message as ASGIMessage
from starlette.types import Receive, Scope, Send

from hyperacuity.server.folders import AFTER, BEFORE
from hyperacuity.server.http import description, jobs
from hyperacuity.server.http.identity import Owner
from hyperacuity.server.http.problems import Problem
from hyperacuity.server.http.state import ServerState, state_of
from hyperacuity.server.records import Job, JobState
from hyperacuity.size import Size, size_suffix

_MOST_IN_ARCHIVE = 1000

router = APIRouter()


@router.get("/jobs/{job}/result", response_class=Response, responses=description.RESULT)
async def result(job: str, request: Request, owner: Owner) -> Response:
    """The result, as a download; parts of it by Range."""
    server = state_of(request)
    found = await jobs.find_job(server, job, owner)
    if found.state != JobState.DONE:
        raise Problem(409, f"the job is {found.state}")
    return file_response(server, found)


@router.get("/jobs/{job}/before", response_class=Response, responses=description.PREVIEW)
async def before(job: str, request: Request, owner: Owner) -> Response:
    """The source at the size of the result, at most 4 megapixels."""
    return await _preview(job, request, owner, BEFORE)


@router.get("/jobs/{job}/after", response_class=Response, responses=description.PREVIEW)
async def after(job: str, request: Request, owner: Owner) -> Response:
    """The result, at most 4 megapixels."""
    return await _preview(job, request, owner, AFTER)


@router.get("/jobs.zip", response_class=Response, responses=description.ARCHIVE)
async def archive(request: Request, owner: Owner, id: Annotated[list[str], Query()]) -> Response:  # noqa: A002
    """Several results in one file, without compression, made while it is sent."""
    from zipstream import ZipStream

    server = state_of(request)
    if len(id) > _MOST_IN_ARCHIVE:
        raise Problem(422, f"{len(id)} results; an archive takes {_MOST_IN_ARCHIVE}", field="id")
    stream, names = ZipStream(), set[str]()
    for each in dict.fromkeys(id):
        job = await jobs.find_job(server, each, owner)
        path = server.folders.result(job.id)
        if job.state == JobState.DONE and path is not None:
            stream.add_path(path, _unique(download_name(server, job), names))
    if not names:
        raise Problem(409, "none of these jobs has a result")
    headers = {"Content-Disposition": 'attachment; filename="hyperacuity.zip"'}
    return StreamingResponse(iter(stream), media_type="application/zip", headers=headers)


def file_response(server: ServerState, job: Job) -> Response:
    """Return the answer that holds the result of a job.

    Raises:
        Problem: 404 if its file is gone.
    """
    path = server.folders.result(job.id)
    if path is None:
        raise Problem(404, "the result is gone")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(path, media_type=kind, filename=download_name(server, job))


def download_name(server: ServerState, job: Job) -> str:
    """Return the name that a browser gives a result: the client's, with the size, and the ending of the result."""
    path = server.folders.result(job.id)
    size = Size(**job.task.get("size", {}))
    stem = PurePosixPath(job.name).stem or "image"
    return f"{stem}{size_suffix(size)}{path.suffix if path is not None else ''}"


async def _preview(job: str, request: Request, owner: Owner, name: str) -> Response:
    server = state_of(request)
    found = await jobs.find_job(server, job, owner)
    path = server.folders.job(found.id) / name
    if not await asyncio.to_thread(path.is_file):
        raise Problem(404 if found.state.ended else 409, "there is no preview")
    return _File(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


class _File(FileResponse):
    """A file whose wrong ranges are answered as problems, too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def checked(message: ASGIMessage) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in {400, 416}:
                refused = True
                span = MutableHeaders(scope=message).get("content-range")
                problem = Problem(
                    message["status"], "no such range of bytes", {"Content-Range": span} if span else None
                )
                await problem.response()(scope, receive, send)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, checked)


def _unique(name: str, taken: set[str]) -> str:
    """The name, with a number if another file of the archive has it, whatever the case of letters."""
    path = PurePosixPath(name)
    number, fresh = 1, name
    while fresh.casefold() in taken:
        number += 1
        fresh = f"{path.stem} ({number}){path.suffix}"
    taken.add(fresh.casefold())
    return fresh
