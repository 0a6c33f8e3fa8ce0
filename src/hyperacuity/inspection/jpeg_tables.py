"""What the header of a JPEG file says about its compression: quantisation tables and the resolution of chroma."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int64]

_START_OF_FRAME = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_TABLES, _START_OF_SCAN = 0xDB, 0xDA
# Markers that have no length: restarts, and the start and the end of an image.
_BARE = {0x01, *range(0xD0, 0xDA)}
# The order in which a file stores the 64 entries of a table.
_ZIGZAG = np.array(
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,
        7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31,
        39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ]
)  # fmt: skip
# The example tables of the standard, which libjpeg scales by its quality.
_LUMA = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
        22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
        87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]
)  # fmt: skip
_CHROMA = np.pad(
    np.array([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]), (0, 4), constant_values=99
).reshape(64)


@dataclass(frozen=True)
class JpegHeader:
    """The compression of a JPEG file.

    Attributes:
        quality: Of luma, 1 to 100 on the scale of libjpeg.
        chroma_quality: Of chroma, on the same scale; None for a grey image.
        subsampling: Of chroma, such as "4:4:4", "4:2:2", "4:2:0"; None for a grey image.
    """

    quality: int
    chroma_quality: int | None = None
    subsampling: str | None = None


def read_jpeg_header(data: Path | bytes) -> JpegHeader | None:
    """Read the compression of a JPEG file from the segments before its pixels.

    Args:
        data: The path of a file, or the bytes of one.

    Returns:
        The compression; None if the file is not a JPEG, or has no table before its first scan.
    """
    with io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return None
        tables: dict[int, Table] = {}
        components: list[tuple[int, int, int]] = []
        for marker, content in _segments(file):
            if marker == _TABLES:
                tables.update(_read_tables(content))
            elif marker in _START_OF_FRAME:
                components = _read_components(content)
    if not components or components[0][2] not in tables:
        return None
    quality = estimate_quality(tables[components[0][2]])
    if len(components) < 3 or components[1][2] not in tables:
        return JpegHeader(quality)
    chroma = estimate_quality(tables[components[1][2]], chroma=True)
    return JpegHeader(quality, chroma, _subsampling(components))


def estimate_quality(table: Table, *, chroma: bool = False) -> int:
    """Estimate the quality on libjpeg's scale of 1 to 100 from a quantisation table.

    The quality whose table is nearest, by the mean of the differences between the logarithms: exact for the tables of
    libjpeg, and for those of cameras and of other programs the quality of about the same loss.

    Args:
        table: (64,), row by row.
        chroma: Whether the table is for chroma.

    Source: ITU-T T.81 (1992), annex K.1; libjpeg's jcparam.c, `jpeg_quality_scaling`.

    Example:
        >>> estimate_quality(np.ones(64, np.int64))
        100
    """
    known = _scaled(_CHROMA if chroma else _LUMA)
    distances = np.abs(np.log(known) - np.log(np.maximum(table, 1))).mean(axis=1)
    return int(np.argmin(distances)) + 1


def _scaled(base: Table) -> Table:
    """(100, 64): the tables of the qualities 1 to 100."""
    quality = np.arange(1, 101)[:, None]
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled: Table = np.clip((base * percent + 50) // 100, 1, 255)
    return scaled


def _segments(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment up to the first scan; only tables and frame headers are read."""
    while True:
        byte = file.read(1)
        while byte and byte != b"\xff":  # stray bytes between segments, which decoders skip too
            byte = file.read(1)
        while byte == b"\xff":  # filling
            byte = file.read(1)
        if not byte:
            return
        marker = byte[0]
        if marker in _BARE or marker == 0:
            continue
        head = file.read(2)
        if len(head) < 2 or marker == _START_OF_SCAN:
            return
        length = struct.unpack(">H", head)[0] - 2
        if marker == _TABLES or marker in _START_OF_FRAME:
            yield marker, file.read(max(0, length))
        else:
            file.seek(max(0, length), io.SEEK_CUR)


def _read_tables(content: bytes) -> dict[int, Table]:
    """The tables of a segment by their number, row by row."""
    tables, at = {}, 0
    while at < len(content):
        size, number = (128 if content[at] >> 4 else 64), content[at] & 15
        stored = np.frombuffer(content[at + 1 : at + 1 + size], ">u2" if size == 128 else ">u1")
        if len(stored) == 64:
            table = np.empty(64, np.int64)
            table[_ZIGZAG] = stored
            tables[number] = table
        at += 1 + size
    return tables


def _read_components(content: bytes) -> list[tuple[int, int, int]]:
    """Horizontal and vertical sampling and the number of the table of each component."""
    count = content[5] if len(content) > 5 else 0
    parts = [content[6 + 3 * n : 9 + 3 * n] for n in range(count)]
    return [(part[1] >> 4, part[1] & 15, part[2]) for part in parts if len(part) == 3]


def _subsampling(components: list[tuple[int, int, int]]) -> str:
    """The ratio of luma's and chroma's samples in the usual notation."""
    (across, down, _), (chroma_across, chroma_down, _) = components[:2]
    ratio = across // max(1, chroma_across), down // max(1, chroma_down)
    known = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1", (4, 2): "4:1:0"}
    return known.get(ratio, f"{ratio[0]}x{ratio[1]}")
