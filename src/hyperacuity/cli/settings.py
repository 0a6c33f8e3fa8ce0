"""`--set KEY=VALUE` and its like, the same for all commands that have it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from hyperacuity.errors import UsageError


def settings(changes: Iterable[str], example: str, *, option: str = "--set") -> dict[str, Any]:
    """Keys and values of `KEY=VALUE` texts, values as TOML writes them, a bare word standing for a string.

    The last one of a key counts. example: for the message about a text that is none.
    """
    found: dict[str, Any] = {}
    for change in changes:
        key, equals, text = (part.strip() for part in change.partition("="))
        if not equals or not key:
            raise UsageError(f"{option} {change}: write KEY=VALUE, such as {example}")
        try:
            found[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = text
    return found
