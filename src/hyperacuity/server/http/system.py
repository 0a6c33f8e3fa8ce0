"""Models, limits, health and metrics."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

import hyperacuity
from hyperacuity.server.http import description
from hyperacuity.server.http.identity import Owner
from hyperacuity.server.http.state import ServerState, state_of

_LIMITS = (
    "max_upload_bytes",
    "max_input_pixels",
    "max_output_pixels",
    "max_video_width",
    "max_video_height",
    "max_video_seconds",
    "max_frames",
    "max_waiting_jobs",
    "max_bytes",
    "min_free_share",
    "upload_hours",
    "result_days",
    "job_seconds",
)

router = APIRouter()
health = APIRouter()


@router.get("/models")
async def models(_: Owner) -> Response:
    """The cards of the installed models, with the megapixels of result per second that were measured for them."""
    return JSONResponse(await asyncio.to_thread(_models))


@router.get("/limits")
async def limits(request: Request, owner: Owner) -> Response:
    """What the server takes, what is kept for how long, and what who asks has used."""
    server = state_of(request)
    counts, kept = await asyncio.gather(
        server.read(server.store.counts, owner.id), server.read(server.store.bytes_of, owner.id)
    )
    content: dict[str, Any] = {name: getattr(server.options, name) for name in _LIMITS}
    used = {"waiting_jobs": counts["waiting"], "bytes": kept}
    return JSONResponse(content | {"used": used, "auth": server.options.auth, "version": hyperacuity.__version__})


@health.get("/livez", response_class=Response, responses=description.TEXT)
async def live() -> Response:
    """Whether the process answers."""
    return PlainTextResponse("ok")


@health.get("/readyz", response_class=Response, responses=description.TEXT | {503: description.TEXT[200]})
async def ready(request: Request) -> Response:
    """Whether jobs would be done: the store can be read, workers run, the disk has room."""
    reason = await asyncio.to_thread(_not_ready, state_of(request))
    return PlainTextResponse("ok") if reason is None else PlainTextResponse(reason, 503)


@health.get("/metrics", response_class=Response, responses=description.TEXT)
async def metrics(request: Request, _: Owner) -> Response:
    """Numbers for Prometheus; no label comes from a client."""
    from prometheus_client import CONTENT_TYPE_LATEST

    content = await asyncio.to_thread(_metrics, state_of(request))
    return Response(content, media_type=CONTENT_TYPE_LATEST)


def _models() -> dict[str, Any]:
    from hyperacuity import zoo  # loads numpy, which nothing else here needs

    speed, machine = zoo.speed()
    cards = [
        dataclasses.asdict(model.card) | {"family": model.card.family, "speed": speed.get(name)}
        for name, model in zoo.models().items()
    ]
    return {"models": cards, "default": zoo.DEFAULT, "presets": zoo.PRESETS, "measured_on": machine}


def _not_ready(server: ServerState) -> str | None:
    try:
        server.store.counts()
    except Exception:
        return "the store cannot be read"
    if not server.workers.alive():
        return "a worker has ended"
    if server.folders.free_share() < server.options.min_free_share:
        return "the disk is nearly full"
    return None


def _metrics(server: ServerState) -> bytes:
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    jobs = Gauge("hyperacuity_jobs", "Jobs by state.", ["state"], registry=registry)
    for state, count in server.store.counts().items():
        jobs.labels(state).set(count)
    age = Gauge("hyperacuity_queue_age_seconds", "How long the oldest waiting job has waited.", registry=registry)
    age.set(server.store.queue_age())
    refused = Gauge("hyperacuity_refused_total", "Requests refused, by reason.", ["reason"], registry=registry)
    for reason, count in server.refused.items():
        refused.labels(reason).set(count)
    restarts = Gauge("hyperacuity_worker_restarts_total", "Workers ended, by reason.", ["reason"], registry=registry)
    for reason, count in server.workers.restarts.items():
        restarts.labels(reason).set(count)
    disk = Gauge("hyperacuity_disk_bytes", "The disk of the data folder.", ["what"], registry=registry)
    usage = shutil.disk_usage(server.folders.data)
    disk.labels("free").set(usage.free)
    disk.labels("total").set(usage.total)
    return generate_latest(registry)
