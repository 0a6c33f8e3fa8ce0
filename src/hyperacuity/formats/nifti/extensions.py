"""The extensions of a NIfTI file: blocks of any content between its header and its values.

Source: https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields, extension codes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

AFNI, COMMENT = 4, 6


class Extension(NamedTuple):
    """One block: the code of its kind, and its content with the padding."""

    code: int
    content: bytes


def read_extensions(data: bytes, order: str) -> list[Extension]:
    """Read the extensions between the header and the values; damaged ones end the list.

    Args:
        data: Everything between the header and the values.
        order: "<" or ">", the byte order of the header.
    """
    found: list[Extension] = []
    if len(data) < 4 or data[0] == 0:
        return found
    at = 4
    while at + 8 <= len(data):
        size, code = struct.unpack(f"{order}2i", data[at : at + 8])
        if size < 8 or at + size > len(data):
            break
        found.append(Extension(code, data[at + 8 : at + size]))
        at += size
    return found


def write_extensions(extensions: list[Extension], order: str) -> bytes:
    """Return the bytes between the header and the values."""
    parts = [b"\1\0\0\0" if extensions else b"\0\0\0\0"]
    for code, content in extensions:
        padded = content + bytes(-(len(content) + 8) % 16)
        parts.append(struct.pack(f"{order}2i", len(padded) + 8, code) + padded)
    return b"".join(parts)
