"""How image formats are recognised by the first bytes of a file; the table names one signature for each."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

# Returns whether the first bytes of a file are those of a format.
Signature = Callable[[bytes], bool]


def pattern(expression: bytes) -> Signature:
    """Returns a signature of files whose first bytes match a regular expression; a dot matches every byte."""
    compiled = re.compile(expression, re.DOTALL)
    return lambda head: compiled.match(head) is not None


def brands(*wanted: bytes, unless: frozenset[bytes] = frozenset()) -> Signature:
    """Returns a signature of ISO media files (ISO 14496-12, section 4.3) that have one of the brands `wanted`.

    Args:
        wanted: The brands.
        unless: The brands of another format, which files of this one do not have.
    """

    def matches(head: bytes) -> bool:
        if head[4:8] != b"ftyp":
            return False
        length = min(struct.unpack(">I", head[:4])[0], len(head))
        found = {head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))}
        return bool(found & set(wanted)) and not found & unless

    return matches
