"""A large image prepared once for all tasks that compute rows of its result.

One file: what is known about the whole image, and its rows as stored, unless they can be read from the image's own file
in any order.

    8 bytes     the length of what follows
    JSON        the header without metadata, the facts, the shape of the colours under transparent pixels
    float32     these colours
    values      the rows, from a multiple of 4096 bytes on
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, UsageError
from hyperacuity.formats.photo.on_disk import decoding_into, rows_of
from hyperacuity.image import BandRange, Header, Image, Metadata, RowSource, Strips
from hyperacuity.pipeline import Facts, complete_survey

_PAGE = 4096
# Bytes that are read or written at a time.
_PART = 16 << 20


class PreparedRows:
    """A `RowSource` of rows in a file, one after another as stored.

    Args:
        path: The file.
        header: Of the image.
        offset: The byte at which its rows begin.
    """

    def __init__(self, path: Path, header: Header, offset: int = 0) -> None:
        self.path, self.header, self.offset = path, header, offset

    def read(self, first: int, last: int) -> Iterator[NDArray[Any]]:
        """Yield the rows [first, last).

        Raises:
            DamagedFile: The file has fewer.
        """
        _, width, channels = self.header.shape
        row = width * channels * self.header.dtype.itemsize
        step = max(1, _PART // row)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset + first * row)
            for top in range(first, last, step):
                count = min(step, last - top) * width * channels
                values = np.fromfile(file, self.header.dtype, count)
                if values.size != count:
                    raise DamagedFile(f"{self.path.name} is cut short")
                yield values.reshape(-1, width, channels)


def prepare(source: Path, target: Path, scratch: Path) -> None:
    """Read an image once, and write what its rows need.

    Args:
        source: The file of the image.
        target: The file to write.
        scratch: A folder for temporary files.

    Raises:
        HyperacuityError: The image cannot be read, or has values that cannot be enlarged.
    """
    direct = formats.row_source(source)
    if direct is not None:
        found = complete_survey(Strips(direct.header, _Restarting(lambda: direct.read(0, direct.header.height))))
        _write(target, direct.header, found, None)
        return
    with decoding_into(scratch):
        image = read_single(source)
        found = complete_survey(streamed(image))
        _write(target, image.header, found, image)


def read_single(source: Path) -> Image:
    """Return the image of a file that holds one.

    Raises:
        UsageError: It holds several.
    """
    with formats.read(source) as opened:
        if opened.frames != 1:
            raise UsageError(f"{source} holds {opened.frames} images")
        return next(iter(opened))


def needs_preparation(source: Path) -> bool:
    """Returns whether tasks of rows need `prepare`; they read integers without alpha from some files themselves."""
    direct = formats.row_source(source)
    return direct is None or direct.header.alpha or direct.header.dtype.kind == "f"


def open_prepared(path: Path | None, source: Path) -> tuple[RowSource, Facts]:
    """Return the rows of an image, and what is known about the whole.

    Args:
        path: The file from `prepare`; None if it is not needed.
        source: The file of the image.

    Raises:
        DamagedFile: One of them is damaged.
    """
    if path is None:
        direct = formats.row_source(source)
        if direct is None:
            raise DamagedFile(f"{source} is not the image that the plan was made for")
        return direct, Facts()
    with path.open("rb") as file:
        content, bleed = _read_head(file, path)
        start = _aligned(file.tell())
    header = Header(dtype=np.dtype(content["dtype"]), levels=tuple(content["levels"]), **content["header"])
    limits = content["range"]
    found = Facts(
        range=None if limits is None else BandRange(**limits),
        constant_alpha=content["constant_alpha"],
        transparent=content["transparent"],
        bleed=bleed,
    )
    if content["rows"]:
        return PreparedRows(path, header, start), found
    direct = formats.row_source(source)
    if direct is None or direct.header != header:
        raise DamagedFile(f"{source} is not the image that was prepared")
    return direct, found


def streamed(image: Image) -> Strips:
    """Return an image in parts that take no memory after they were used, if its pixels are mapped from a file."""
    return Strips(image.header, _Restarting(lambda: rows_of(image)))


class _Restarting:
    """All rows of a source, from the start in each pass."""

    def __init__(self, start: Callable[[], Iterable[NDArray[Any]]]) -> None:
        self._start = start

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter(self._start())


def _write(target: Path, header: Header, found: Facts, image: Image | None) -> None:
    header = replace(header, metadata=Metadata())
    bleed = None if found.bleed is None else np.ascontiguousarray(found.bleed, np.float32)
    content = {
        "header": {name: getattr(header, name) for name in ("height", "width", "channels", "alpha")},
        "dtype": header.dtype.str,
        "levels": header.levels,
        "range": None if found.range is None else asdict(found.range),
        "constant_alpha": found.constant_alpha,
        "transparent": found.transparent,
        "bleed": None if bleed is None else bleed.shape,
        "rows": image is not None,
    }
    text = json.dumps(content).encode()
    with target.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        if bleed is not None:
            file.write(bleed.data)
        if image is not None:
            file.write(bytes(_aligned(file.tell()) - file.tell()))
            for rows in rows_of(image):
                file.write(np.ascontiguousarray(rows).data)


def _read_head(file: IO[bytes], path: Path) -> tuple[dict[str, Any], NDArray[np.float32] | None]:
    try:
        content: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        shape = content["bleed"]
        if shape is None:
            return content, None
        return content, np.frombuffer(file.read(4 * int(np.prod(shape))), np.float32).reshape(shape)
    except (ValueError, KeyError) as error:
        raise DamagedFile(f"{path.name} is damaged") from error


def _aligned(offset: int) -> int:
    return -(-offset // _PAGE) * _PAGE
