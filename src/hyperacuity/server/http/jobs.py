"""Jobs: submitting, watching, cancelling and removing them; and the short way, an image in and its result out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from hyperacuity.errors import HyperacuityError
from hyperacuity.server.folders import BEFORE
from hyperacuity.server.http import description, results, uploads
from hyperacuity.server.http.identity import Owner
from hyperacuity.server.http.problems import Problem
from hyperacuity.server.http.state import ServerState, state_of
from hyperacuity.server.records import Event, Job, JobState, Upload, User, new_id
from hyperacuity.task import Message, Task

# Options that name files of the server, or go to an encoder unread.
_FORBIDDEN = {"options": ("model_path",), "video": ("encoder", "preview")}
_LONGEST_WAIT = 60.0
_KEEP_ALIVE = 15.0

router = APIRouter()


class Submission(BaseModel):
    """What to do with an upload.

    Attributes:
        upload: The id of a complete upload.
        task: `size`, `options`, `image` and `video` as in `hyperacuity.task.Task`; the same record as the command
            line's.
        ending: The ending of the result, such as ".png"; that of the source if empty.
        priority: Higher ones run first.
    """

    model_config = ConfigDict(extra="forbid")

    upload: str = Field(min_length=32, max_length=32)
    task: dict[str, Any] = {}
    ending: str = Field(default="", max_length=10)
    priority: int = Field(default=0, ge=-10, le=10)


@router.post("/jobs", status_code=201, responses={201: description.NEW_JOB})
async def submit(
    submission: Submission,
    request: Request,
    owner: Owner,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Submit a job; with the same Idempotency-Key again, the same job is returned."""
    server = state_of(request)
    upload = await uploads.find_upload(server, submission.upload, owner)
    if idempotency_key is not None:
        earlier = await server.read(server.store.job_of_key, owner.id, idempotency_key)
        if earlier is not None:
            return JSONResponse(await view(server, earlier), 201, {"Location": f"jobs/{earlier.id}"})
    if not upload.complete:
        raise Problem(409, f"{upload.offset:,} of {upload.length:,} bytes have arrived")
    job = await _submit(server, owner, upload, submission, idempotency_key)
    return JSONResponse(await view(server, job), 201, {"Location": f"jobs/{job.id}"})


@router.post(
    "/upscale",
    status_code=202,
    responses={202: description.NEW_JOB, **description.RESULT},
    openapi_extra=description.SENDING,
)
async def upscale(
    request: Request,
    owner: Owner,
    scale: Annotated[float | None, Query(gt=0)] = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    ending: Annotated[str, Query(max_length=10)] = "",
    name: Annotated[str, Query(max_length=1000)] = "image",
    prefer: Annotated[str, Header(max_length=200)] = "",
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Send a file as the raw body; get its job, or with "Prefer: wait=30" the result itself if it is ready by then."""
    server = state_of(request)
    declared = request.headers.get("content-length", "")
    limit = server.options.max_upload_bytes
    if not declared.isdecimal():
        raise Problem(411, "send a Content-Length, or use /v1/uploads")
    if int(declared) > limit:
        raise server.refuse("size", Problem(413, f"the file has {int(declared):,} bytes; this server takes {limit:,}"))
    task = {"size": {"scale": scale} if scale is not None else {}, "options": {"model": model} if model else {}}
    submission = Submission(upload="0" * 32, task={key: value for key, value in task.items() if value}, ending=ending)
    await asyncio.to_thread(_checked, submission)
    upload = await uploads.new_upload(server, owner, uploads.plain_name(name), int(declared))
    reached = await uploads.receive(server, upload, request)
    if reached != upload.length:
        raise Problem(400, f"{reached:,} of {upload.length:,} bytes arrived")
    job = await _submit(server, owner, upload, submission, idempotency_key)
    wait = re.search(r"wait=(\d{1,4})", prefer)
    if wait:
        job = await _ended(server, job, min(float(wait[1]), _LONGEST_WAIT))
        if job.state == JobState.DONE:
            return results.file_response(server, job)
    return JSONResponse(await view(server, job), 202, {"Location": f"jobs/{job.id}"})


@router.get("/jobs", responses={200: description.JOBS})
async def listing(
    request: Request,
    owner: Owner,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[float | None, Query()] = None,
) -> Response:
    """The jobs of who asks, newest first."""
    server = state_of(request)
    found = await server.read(server.store.jobs, owner.id, limit, before)
    return JSONResponse({"jobs": [await view(server, job) for job in found]})


@router.get("/jobs/{job}", responses={200: description.JOB})
async def one(job: str, request: Request, owner: Owner) -> Response:
    """One job."""
    server = state_of(request)
    return JSONResponse(await view(server, await find_job(server, job, owner)))


@router.get("/jobs/{job}/events", response_class=Response, responses=description.EVENTS)
async def events(job: str, request: Request, owner: Owner, last_event_id: Annotated[int, Header(ge=0)] = 0) -> Response:
    """The changes of a job as server-sent events, from Last-Event-ID on, until it has ended."""
    server = state_of(request)
    found = await find_job(server, job, owner)
    if found.state.ended and not await server.read(server.store.events, found.id, last_event_id):
        return Response(status_code=204)  # by which a browser knows not to connect again
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _stream(server, found, last_event_id)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.post("/jobs/{job}/cancel", status_code=202, responses={202: description.JOB})
async def cancel(job: str, request: Request, owner: Owner) -> Response:
    """Ask a job to end."""
    server = state_of(request)
    found = await find_job(server, job, owner)
    if found.state.ended:
        raise Problem(409, f"the job is {found.state} already")
    await asyncio.to_thread(server.store.cancel, found.id, owner.id, server.result_expiry())
    return JSONResponse(await view(server, await find_job(server, job, owner)), 202)


@router.delete("/jobs/{job}", status_code=204)
async def remove(job: str, request: Request, owner: Owner) -> Response:
    """Remove an ended job, its result and its source, if no other job needs that."""
    server = state_of(request)
    found = await find_job(server, job, owner)
    if not found.state.ended:
        raise Problem(409, f"the job is {found.state}; cancel it first")
    await asyncio.to_thread(server.store.remove_job, found.id)
    await asyncio.to_thread(server.folders.remove_job, found.id)
    if not await server.read(server.store.in_use, found.upload, ended=True):
        await asyncio.to_thread(server.store.remove_upload, found.upload)
        await asyncio.to_thread(server.folders.remove_upload, found.upload)
    return Response(status_code=204)


async def find_job(server: ServerState, job: str, owner: User) -> Job:
    """Return a job of a user.

    Raises:
        Problem: 404, also for a job of another user.
    """
    found = await server.read(server.store.job, job, owner.id)
    if found is None:
        raise Problem(404, "there is no such job, or it has expired")
    return found


async def view(server: ServerState, job: Job) -> dict[str, Any]:
    """Return a job as clients see it."""
    outcome = dict(job.outcome or {})
    outcome.pop("source", None)
    outcome.pop("target", None)
    error = outcome.pop("error", None)
    shown: dict[str, Any] = {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "progress": round(job.progress, 4),
        "task": job.task,
        "created": job.created,
        "started": job.started or None,
        "finished": job.finished or None,
        "expires": job.expires or None,
    }
    if job.state == JobState.WAITING:
        shown["ahead"] = await server.read(server.store.place, job)
    if job.state == JobState.RUNNING and job.progress > 0:
        passed = time.time() - job.started
        shown["seconds_left"] = round(passed * (1 - job.progress) / job.progress, 1)
    if error is not None:
        shown["error"] = str(Message.from_json(error))
    if job.state == JobState.DONE:
        shown["outcome"] = outcome
        shown["result"] = f"jobs/{job.id}/result"
        shown["result_name"] = results.download_name(server, job)
        shown["previews"] = (server.folders.job(job.id) / BEFORE).is_file()
    return shown


async def _submit(server: ServerState, owner: User, upload: Upload, submission: Submission, key: str | None) -> Job:
    task = await asyncio.to_thread(_checked, submission)
    counts = await server.read(server.store.counts, owner.id)
    limit = server.options.max_waiting_jobs
    if counts["waiting"] >= limit:
        detail = f"{counts['waiting']} of your jobs are waiting; this server lets {limit} wait"
        raise server.refuse("queue", Problem(429, detail, {"Retry-After": "60"}))
    server.check_disk()
    job = Job(
        id=new_id(),
        owner=owner.id,
        upload=upload.id,
        name=upload.name,
        task=task,
        priority=submission.priority,
        created=time.time(),
    )
    job = await asyncio.to_thread(server.store.submit, job, key)
    server.workers.notify()
    return job


def _checked(submission: Submission) -> dict[str, Any]:
    """The task of a submission.

    Raises:
        Problem: 422, with the field.
    """
    # Imported with the first job, so that the server listens sooner.
    from hyperacuity import formats, zoo

    for part, names in _FORBIDDEN.items():
        inner = submission.task.get(part)
        for name in names:
            if isinstance(inner, dict) and name in inner:
                raise Problem(422, f"{part}.{name} is not taken from clients", field=f"task.{part}.{name}")
    for name in ("source", "target", "force", "skip_existing"):
        if name in submission.task:
            raise Problem(422, f"{name} is not taken from clients", field=f"task.{name}")
    try:
        task = Task.from_json(submission.task | {"source": "", "target": ""})
        if task.options.model is not None:
            zoo.find_models(task.options.model)
    except (HyperacuityError, ValueError, TypeError) as error:
        raise Problem(422, str(Message.from_exception(error)), field="task") from error
    ending = submission.ending.lower()
    ending = f".{ending}" if ending and not ending.startswith(".") else ending
    if ending and ending not in (*formats.suffixes(), *formats.video.SUFFIXES):
        raise Problem(422, f"no format has the ending {ending!r}", field="ending")
    return submission.task | ({"ending": ending} if ending else {})


async def _ended(server: ServerState, job: Job, seconds: float) -> Job:
    """The job when it has ended, or after a time."""
    owner = User(job.owner, "")
    end = time.monotonic() + seconds
    async with server.notifier.subscription(job.id) as changed:
        while True:
            changed.clear()
            now = await find_job(server, job.id, owner)
            left = end - time.monotonic()
            if now.state.ended or left <= 0 or server.notifier.ended:
                return now
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left, _KEEP_ALIVE))


async def _stream(server: ServerState, job: Job, after: int) -> AsyncIterator[str]:
    async with server.notifier.subscription(job.id) as changed:
        last = after
        while not server.notifier.ended:
            changed.clear()
            for event in await server.read(server.store.events, job.id, last):
                last = event.number
                yield _line(event)
                if event.kind in ("done", "failed", "cancelled"):
                    return
            try:
                await asyncio.wait_for(changed.wait(), _KEEP_ALIVE)
            except TimeoutError:
                yield ": waiting\n\n"


def _line(event: Event) -> str:
    return f"id: {event.number}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
