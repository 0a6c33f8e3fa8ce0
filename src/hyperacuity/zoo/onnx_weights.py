"""The weights in an ONNX file, found by reading only its outline: without the package onnx.

An ONNX file is a protocol buffer: fields of a number and a type, where messages, texts and bytes are preceded by their
length. Weights are replaced in place, as bytes of the same length.
Source: onnx.proto of ONNX 1.17 (https://onnx.ai); "Encoding" in the documentation of protocol buffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hyperacuity.errors import WeightsError

# Numbers of fields: of a model its graph, of a graph its weights, of a tensor its type, name and bytes.
_GRAPH, _INITIALIZER = 7, 5
_TYPE, _NAME, _RAW = 2, 8, 9
FLOAT = 1
# Types of fields.
_VARINT, _FIXED64, _SIZED, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class StoredTensor:
    """Where the values of a tensor are in a file.

    Attributes:
        start, end: Of its bytes, little-endian; equal where they are stored in another form.
        is_float: Whether they are float32.
    """

    start: int
    end: int
    is_float: bool


def find_weights(content: bytes) -> dict[str, StoredTensor]:
    """Find the weights of an ONNX file.

    Args:
        content: The bytes of the file.

    Returns:
        Where each tensor is, by its name.

    Raises:
        WeightsError: The file is not ONNX, or is damaged.
    """
    try:
        graphs = [span for number, span, _ in _fields(content, 0, len(content)) if number == _GRAPH]
        tensors = [span for graph in graphs for number, span, _ in _fields(content, *graph) if number == _INITIALIZER]
        return dict(_tensor(content, *span) for span in tensors)
    except (IndexError, ValueError) as error:
        raise WeightsError("it is not a readable ONNX file") from error


def _tensor(content: bytes, start: int, end: int) -> tuple[str, StoredTensor]:
    name, kind, place = "", 0, (start, start)
    for number, span, value in _fields(content, start, end):
        if number == _NAME:
            name = content[slice(*span)].decode()
        elif number == _TYPE:
            kind = value
        elif number == _RAW:
            place = span
    return name, StoredTensor(*place, kind == FLOAT)


def _fields(content: bytes, at: int, end: int) -> Iterator[tuple[int, tuple[int, int], int]]:
    """Number, start and end, and value (of a number) of each field of a message."""
    while at < end:
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        value = 0
        if kind == _VARINT:
            start = at
            value, at = _varint(content, at)
        elif kind == _SIZED:
            size, start = _varint(content, at)
            at = start + size
        elif kind in (_FIXED64, _FIXED32):
            start = at
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field of type {kind}")
        if at > end:
            raise ValueError("a field reaches beyond its message")
        yield number, (start, at), value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
