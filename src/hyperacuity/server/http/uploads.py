"""Resumable uploads: the tus protocol 1.0.0, with creation, expiration and termination (tus.io/protocols)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import email.utils
import os
import time
from collections.abc import AsyncIterator
from typing import IO

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from hyperacuity.server.http import description
from hyperacuity.server.http.identity import Owner
from hyperacuity.server.http.problems import Problem
from hyperacuity.server.http.state import ServerState, state_of
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.records import Upload, User, new_id

VERSION = "1.0.0"
_EXTENSIONS = "creation,expiration,termination"
_PATCH = "application/offset+octet-stream"
# The disk is looked at again after this number of bytes.
_DISK_EVERY = 64 << 20
_LONGEST_NAME = 255

router = APIRouter()


@router.options("/uploads", status_code=204)
async def describe(request: Request) -> Response:
    """Say what the server can do."""
    limit = str(state_of(request).options.max_upload_bytes)
    headers = {"Tus-Version": VERSION, "Tus-Extension": _EXTENSIONS, "Tus-Max-Size": limit}
    return _answer(204, headers)


@router.post(
    "/uploads",
    status_code=201,
    response_class=Response,
    responses=description.CREATED,
    openapi_extra=description.CREATION,
)
async def create(request: Request, owner: Owner) -> Response:
    """Begin an upload; its bytes follow by PATCH."""
    _check_version(request)
    server = state_of(request)
    length = _number(request, "upload-length")
    name = _name(request.headers.get("upload-metadata", ""))
    upload = await new_upload(server, owner, name, length)
    headers = {"Location": f"uploads/{upload.id}", "Upload-Expires": _date(upload.expires)}
    return _answer(201, headers)


@router.head("/uploads/{upload}", response_class=Response, responses=description.OFFSET, openapi_extra=description.TUS)
async def offset(upload: str, request: Request, owner: Owner) -> Response:
    """Say how many bytes have arrived."""
    _check_version(request)
    found = await find_upload(state_of(request), upload, owner)
    headers = {"Upload-Offset": str(found.offset), "Upload-Length": str(found.length), "Cache-Control": "no-store"}
    return _answer(200, headers | {"Upload-Expires": _date(found.expires)})


@router.patch("/uploads/{upload}", status_code=204, responses=description.REACHED, openapi_extra=description.APPENDING)
async def append(upload: str, request: Request, owner: Owner) -> Response:
    """Add bytes at the offset that has been reached."""
    _check_version(request)
    server = state_of(request)
    if request.headers.get("content-type") != _PATCH:
        raise Problem(415, f"the bytes of an upload are sent as {_PATCH}")
    found = await find_upload(server, upload, owner)
    given = _number(request, "upload-offset")
    if upload in server.writing:
        raise Problem(409, "another request is writing to this upload")
    if given != found.offset:
        raise Problem(
            409, f"the upload is at byte {found.offset}, not at {given}", {"Upload-Offset": str(found.offset)}
        )
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and found.offset + int(declared) > found.length:
        raise Problem(413, f"{declared} bytes more are longer than the {found.length} bytes that were announced")
    reached = await receive(server, found, request)
    return _answer(204, {"Upload-Offset": str(reached), "Upload-Expires": _date(server.upload_expiry())})


@router.delete("/uploads/{upload}", status_code=204, openapi_extra=description.TUS)
async def terminate(upload: str, request: Request, owner: Owner) -> Response:
    """Forget an upload and its bytes."""
    _check_version(request)
    server = state_of(request)
    found = await find_upload(server, upload, owner)
    if upload in server.writing:
        raise Problem(409, "another request is writing to this upload")
    if await server.read(server.store.in_use, found.id):
        raise Problem(409, "a job that has not ended needs this upload")
    await asyncio.to_thread(server.store.remove_upload, found.id)
    await asyncio.to_thread(server.folders.remove_upload, found.id)
    return _answer(204, {})


async def new_upload(server: ServerState, owner: User, name: str, length: int) -> Upload:
    """Make an empty upload.

    Raises:
        Problem: 413 for one that is too long, 429 for a user who keeps too much, 507 for a full disk.
    """
    limit = server.options.max_upload_bytes
    if length > limit:
        raise server.refuse("size", Problem(413, f"the file has {length:,} bytes; this server takes {limit:,}"))
    if length == 0:
        raise server.refuse("size", Problem(400, "the file is empty"))
    kept = await server.read(server.store.bytes_of, owner.id)
    if kept + length > server.options.max_bytes:
        detail = f"you keep {kept:,} bytes here; with {length:,} more it would be over {server.options.max_bytes:,}"
        raise server.refuse("quota", Problem(429, detail, {"Retry-After": "3600"}))
    server.check_disk(length)
    now = time.time()
    upload = Upload(id=new_id(), owner=owner.id, name=name, length=length, created=now, expires=server.upload_expiry())
    path = server.folders.source(upload.id)
    await asyncio.to_thread(_make_empty, str(path.parent), str(path))
    await asyncio.to_thread(server.store.add_upload, upload)
    return upload


async def find_upload(server: ServerState, upload: str, owner: User) -> Upload:
    """Return an upload of a user.

    Raises:
        Problem: 404.
    """
    found = await server.read(server.store.upload, upload, owner.id)
    if found is None:
        raise Problem(404, "there is no such upload, or it has expired")
    return found


async def receive(server: ServerState, upload: Upload, request: Request) -> int:
    """Append the body of a request to an upload. Returns the offset reached, which is kept also if the body breaks off.

    Raises:
        Problem: 413 for more bytes than were announced, 408 for a body that is too slow, 507 for a full disk.
    """
    server.writing.add(upload.id)
    reached, checked = upload.offset, 0
    path = server.folders.source(upload.id)
    try:
        with await asyncio.to_thread(path.open, "r+b") as file:
            file.seek(reached)
            try:
                async for part in _steady(request.stream(), server.options):
                    if reached + len(part) > upload.length:
                        detail = f"the body is longer than the {upload.length:,} bytes that were announced"
                        raise server.refuse("size", Problem(413, detail))
                    if reached - checked >= _DISK_EVERY:
                        server.check_disk()
                        checked = reached
                    await asyncio.to_thread(_write, file, part)
                    reached += len(part)
            finally:
                await asyncio.to_thread(_settle, file)
    except OSError as error:
        raise server.refuse("disk", Problem(507, f"the bytes could not be written: {error.strerror}")) from error
    finally:
        server.writing.discard(upload.id)
        await asyncio.to_thread(server.store.set_offset, upload.id, reached, server.upload_expiry())
    return reached


async def _steady(body: AsyncIterator[bytes], options: ServerOptions) -> AsyncIterator[bytes]:
    """The parts of a body, as long as they come at `min_bytes_per_second`, measured from `header_seconds` on.

    Raises:
        Problem: 408.
    """
    begun, total = time.monotonic(), 0
    grace, least = options.header_seconds, options.min_bytes_per_second
    parts = body.__aiter__()
    while True:
        try:
            part = await asyncio.wait_for(anext(parts), grace)
        except StopAsyncIteration:
            return
        except ClientDisconnect as error:
            raise Problem(400, "the connection broke off") from error
        except TimeoutError as error:
            raise Problem(408, f"no byte came for {grace:g} seconds") from error
        total += len(part)
        seconds = time.monotonic() - begun
        if seconds > grace and total < least * seconds:
            raise Problem(408, f"the body comes at {total / seconds:.0f} bytes per second; the least is {least}")
        yield part


def _write(file: IO[bytes], part: bytes) -> None:
    file.write(part)


def _settle(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _make_empty(folder: str, path: str) -> None:
    os.makedirs(folder)
    with open(path, "xb"):
        pass


def _answer(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION} | headers)


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise Problem(412, f"this server speaks tus {VERSION}", {"Tus-Version": VERSION})


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Problem(400, f"the header {header} is missing or not a number")
    return int(text)


def _name(metadata: str) -> str:
    """The file's name in Upload-Metadata: pairs of a key and base64, separated by commas."""
    for pair in metadata.split(","):
        key, _, value = pair.strip().partition(" ")
        if key in ("filename", "name"):
            try:
                return plain_name(base64.b64decode(value, validate=True).decode())
            except (binascii.Error, UnicodeDecodeError) as error:
                raise Problem(400, f"Upload-Metadata: {key} is not base64 of UTF-8") from error
    return "image"


def plain_name(name: str) -> str:
    """Return a client's name without folders and control characters, not longer than file systems allow."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(letter for letter in last if letter.isprintable()).strip(". ")
    return kept.encode()[:_LONGEST_NAME].decode(errors="ignore") or "image"


def _date(seconds: float) -> str:
    return email.utils.formatdate(seconds, usegmt=True)
