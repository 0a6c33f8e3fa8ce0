"""What the description of the interface, /v1/openapi.json, says beyond types: headers, bodies, answers, logins."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

_TEXT = {"type": "string"}
_TIME = {"type": ["number", "null"], "description": "Seconds since 1970"}
_JOB = {
    "type": "object",
    "required": ["id", "name", "state", "progress", "task", "created", "started", "finished", "expires"],
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "state": {"enum": ["waiting", "running", "done", "failed", "cancelled"]},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "task": {"type": "object"},
        "created": {"type": "number", "description": "Seconds since 1970"},
        "started": _TIME,
        "finished": _TIME,
        "expires": _TIME,
        "ahead": {"type": "integer", "minimum": 0, "description": "Jobs in front of a waiting one"},
        "seconds_left": {"type": "number"},
        "error": {"type": "string", "description": "Why it failed"},
        "outcome": {"type": "object"},
        "result": {"type": "string", "description": "Its address, relative to /v1/"},
        "result_name": _TEXT,
        "previews": {"type": "boolean", "description": "Whether there is a before and an after"},
    },
}


def _json(schema: dict[str, Any], description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def _file(kind: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}


def _header(name: str, schema: dict[str, Any], description: str, *, required: bool = True) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": required, "schema": schema, "description": description}


_LOCATION = {"Location": {"schema": _TEXT, "description": "Relative to /v1/"}}
_OFFSET = {"Upload-Offset": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Bytes that arrived"}}
_TUS = _header("Tus-Resumable", {"enum": ["1.0.0"]}, "The version of the protocol, tus.io")
_BYTES = {"type": "string", "format": "binary"}

# For the decorators of routes: `responses`, and `openapi_extra`.
JOB = _json(_JOB, "The job")
NEW_JOB = _json(_JOB, "The job", headers=_LOCATION)
JOBS = _json(
    {"type": "object", "required": ["jobs"], "properties": {"jobs": {"type": "array", "items": _JOB}}}, "The jobs"
)
EVENTS: dict[int | str, Any] = {
    200: {
        "description": "The changes",
        "content": {"text/event-stream": {"schema": {"type": "object", "properties": {"event": _TEXT, "data": _TEXT}}}},
    },
    204: {"description": "It has ended, and nothing follows"},
}
TEXT: dict[int | str, Any] = {200: {"description": "Text", "content": {"text/plain": {"schema": _TEXT}}}}
ARCHIVE: dict[int | str, Any] = {200: _file("application/zip", "The results")}
PREVIEW: dict[int | str, Any] = {200: _file("image/jpeg", "The preview")}
RESULT: dict[int | str, Any] = {200: _file("*/*", "The result"), 206: _file("*/*", "A part of it")}
CREATED: dict[int | str, Any] = {201: {"description": "An empty upload", "headers": _LOCATION}}
REACHED: dict[int | str, Any] = {204: {"description": "The bytes are kept", "headers": _OFFSET}}
OFFSET: dict[int | str, Any] = {200: {"description": "How far it is", "headers": _OFFSET}}

TUS = {"parameters": [_TUS]}
CREATION = {
    "parameters": [
        _TUS,
        _header("Upload-Length", {"type": "integer", "minimum": 1, "maximum": 2**40}, "Bytes of the file"),
        _header(
            "Upload-Metadata",
            {"enum": ["filename aW1hZ2UucG5n"]},
            "filename and the name in base64",
            required=False,
        ),
    ]
}
APPENDING = {
    "parameters": [_TUS, _header("Upload-Offset", {"type": "integer", "minimum": 0, "maximum": 2**40}, "Where to add")],
    "requestBody": {"required": True, "content": {"application/offset+octet-stream": {"schema": _BYTES}}},
}
SENDING = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _BYTES}}}}


def describe_logins(app: FastAPI) -> None:
    """Say which requests need a token or the session of the page."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            schemes = {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "hyperacuity_session"},
            }
            schema.setdefault("components", {})["securitySchemes"] = schemes
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    open_to_all = path in ("/livez", "/readyz", "/v1/session") or operation["summary"] == "Describe"
                    operation["security"] = [] if open_to_all else [{"token": []}, {"session": []}]
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]
