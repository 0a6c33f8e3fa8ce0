"""Parses values of options: `--set KEY=VALUE` and spans of time."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from hyperacuity.errors import UsageError


def settings(changes: Iterable[str], example: str, *, option: str = "--set") -> dict[str, Any]:
    """Returns the keys and values of texts such as "KEY=VALUE".

    Args:
        changes: The texts. Values are TOML, or bare words, which are strings. The last value of a key counts.
        example: A correct text, for the error message.
        option: The name of the option, for the error message.
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


def texts(changes: Iterable[str], example: str, *, option: str) -> dict[str, str]:
    """Returns the keys and values as `settings` does, with all values as text for FFmpeg."""
    return {name: str(value) for name, value in settings(changes, example, option=option).items()}


def seconds(option: str, text: str) -> Fraction:
    """Returns the seconds of a span of time: a number, or one with a unit (200ms, 5s, 10min, 2h), or h:min:s."""
    units = {"ms": Fraction(1, 1000), "": Fraction(1), "s": Fraction(1), "min": Fraction(60), "h": Fraction(3600)}
    match = re.fullmatch(r"((?:\d+:){0,2})(\d+(?:\.\d+)?) ?(ms|s|min|h|)", text, re.ASCII)
    if match is None or (match[1] and match[3]):
        raise UsageError(f"{option} {text}: give seconds, such as 90 or 2.5, or 200ms, 10min, 1:30, 1:02:03.5")
    total = Fraction(0)
    for part in [*match[1].split(":")[:-1], match[2]]:
        total = 60 * total + Fraction(part)
    return total * units[match[3]]
