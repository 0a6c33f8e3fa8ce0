"""Paths of files and URLs of objects, as text."""

from __future__ import annotations

import re
from pathlib import Path

from hyperacuity.errors import UsageError

# Windows drives ("C:\\photos") have one letter and no slashes after the colon.
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+)://(.*)$", re.DOTALL)


def is_url(location: str) -> bool:
    """Returns whether text is a URL such as "s3://bucket/photo.jpg".

    Example:
        >>> is_url("s3://bucket/photo.jpg"), is_url("photos/photo.jpg")
        (True, False)
    """
    return _SCHEME.match(location) is not None


def scheme_of(location: str) -> str:
    """Returns the scheme of a URL in lower case; "" for a path."""
    found = _SCHEME.match(location)
    return found[1].lower() if found else ""


def check(location: str) -> str:
    """Returns a location, checked: a URL must not contain credentials, which would end up in plans and messages.

    Raises:
        UsageError: It holds a user, a password or a query. The message does not repeat them.
    """
    found = _SCHEME.match(location)
    if found is None:
        return location
    host, _, path = found[2].partition("/")
    if "@" in host:
        raise UsageError(f"a URL of {found[1]}:// holds a user or a key; credentials belong in the environment")
    if "?" in path and found[1].lower() in ("http", "https"):
        raise UsageError(f"a URL of {found[1]}:// has a query, which may hold a key; use one without")
    if not host:
        raise UsageError(f"{location} names no bucket")
    return location


def join(location: str, *names: str) -> str:
    """Returns the location of a name in a folder.

    Example:
        >>> join("s3://bucket/plan/", "leases", "7")
        's3://bucket/plan/leases/7'
    """
    if is_url(location):
        return "/".join([location.rstrip("/"), *names])
    return str(Path(location, *names))


def name_of(location: str) -> str:
    """Returns the last part of a location."""
    return location.rstrip("/").rpartition("/")[2] if is_url(location) else Path(location).name


def parent_of(location: str) -> str:
    """Returns the folder of a location."""
    return location.rstrip("/").rpartition("/")[0] if is_url(location) else str(Path(location).parent)
