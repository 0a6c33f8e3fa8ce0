"""Errors as RFC 9457 problem+json: `detail` has the number and the limit, and nothing of the server's inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

_LOG = logging.getLogger(__name__)

# What the description of the interface says of every error.
DOCUMENTED: dict[str, Any] = {
    "description": "A problem; `detail` says what is wrong, with numbers and limits",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "field": {"type": "string"},
                },
            }
        }
    },
}


class Problem(Exception):  # noqa: N818 - the name of RFC 9457
    """An answer that is an error.

    Args:
        status: The HTTP status.
        detail: What is wrong, with numbers and limits.
        headers: More headers of the answer.
        **members: More members of the document, such as `field`.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.members = status, detail, dict(headers or {}), members

    def response(self) -> Response:
        """Return the answer."""
        content = {"type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status}
        content |= {"detail": self.detail, **self.members}
        return JSONResponse(content, self.status, self.headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Let every error of an application be answered as a problem."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> Response:
        return Problem(error.status_code, str(error.detail), error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        status = 400 if first["type"] == "json_invalid" else 422
        return Problem(status, f"{field}: {first['msg']}" if field else str(first["msg"]), field=field).response()

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        _LOG.error("a request failed", exc_info=error)
        return Problem(500, "the server failed; its log says why").response()
