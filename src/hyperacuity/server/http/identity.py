"""Who asks: the holder of a token, the user of a session, or, without authentication, the one local user."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from hyperacuity.server.http.problems import Problem
from hyperacuity.server.http.state import ServerState, state_of
from hyperacuity.server.records import User

SESSION = "hyperacuity_session"
_SESSION_SECONDS = 30 * 86400.0
LOCAL = User("local", "local")
# One hash at a time: each takes 64 MiB. And a pause after a wrong password; more people than this do not wait.
_HASHING = asyncio.Lock()
_PAUSE, _MOST_WAITING = 1.0, 10
_waiting = 0
# Verified for unknown names, so that the time says nothing: argon2id of a random text, with the library's defaults.
_NO_ONE = "$argon2id$v=19$m=65536,t=3,p=4$K99MvkNrtpm8+tiTj2ulxQ$WS2SsCTkXDuS1+NLXI2RMomPZpe377PGahd35NHF7zw"

router = APIRouter()


async def find_user(request: Request) -> User:
    """Return who asks.

    Raises:
        Problem: 401.
    """
    server = state_of(request)
    if not server.options.auth:
        return LOCAL
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and given:
        user = await asyncio.to_thread(server.store.token_owner, given.strip(), "api")
    else:
        user = await asyncio.to_thread(server.store.token_owner, request.cookies.get(SESSION, ""), "session")
    if user is None:
        raise server.refuse("auth", Problem(401, "log in, or send a token", {"WWW-Authenticate": "Bearer"}))
    return user


Owner = Annotated[User, Depends(find_user)]


class Credentials(BaseModel):
    """A name and a password."""

    name: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=1000)


@router.post("/session", status_code=204)
async def log_in(credentials: Credentials, request: Request) -> Response:
    """Begin a session of the page."""
    global _waiting  # noqa: PLW0603 - as the lock
    server = state_of(request)
    if _waiting >= _MOST_WAITING:
        raise server.refuse("auth", Problem(429, "too many people are logging in", {"Retry-After": "10"}))
    _waiting += 1
    try:
        user = await _check_password(server, credentials)
    finally:
        _waiting -= 1
    expires = time.time() + _SESSION_SECONDS
    token = await asyncio.to_thread(server.store.add_token, user.id, "session", expires)
    answer = Response(status_code=204)
    answer.set_cookie(
        SESSION,
        token,
        max_age=int(_SESSION_SECONDS),
        path=server.options.base_path or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.delete("/session", status_code=204)
async def log_out(request: Request) -> Response:
    """End the session of the page."""
    server = state_of(request)
    await asyncio.to_thread(server.store.remove_token, request.cookies.get(SESSION, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION, path=server.options.base_path or "/")
    return answer


async def _check_password(server: ServerState, credentials: Credentials) -> User:
    """The user of a name and a password.

    Raises:
        Problem: 401.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    async with _HASHING:
        found = await asyncio.to_thread(server.store.user, credentials.name)
        hasher = PasswordHasher()
        try:
            known = found[1] if found is not None and found[1] else _NO_ONE
            await asyncio.to_thread(hasher.verify, known, credentials.password)
            right = found is not None and found[1] is not None
        except VerificationError:
            right = False
        if found is None or not right:
            await asyncio.sleep(_PAUSE)
            raise server.refuse("auth", Problem(401, "the name or the password is wrong"))
    return found[0]
