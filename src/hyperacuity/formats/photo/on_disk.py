"""Large images decoded into a file instead of into memory, where a caller asks for it.

A caller that needs few rows at a time, such as a machine that prepares a large image for others, holds only those.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import mmap
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity.image import Array, Image

# Smaller images are decoded into memory.
LEAST = 64 << 20
# Bytes of rows that are handed on at a time.
_PART = 16 << 20

# The folder, and from how many bytes on images are decoded into it.
_target: contextvars.ContextVar[tuple[Path, int] | None] = contextvars.ContextVar("_target", default=None)


@contextlib.contextmanager
def decoding_into(folder: Path, least: int = LEAST) -> Iterator[None]:
    """Decode images of at least `least` bytes into files of a folder while the context lasts.

    Their pixels are mapped from a file without a name, which disappears with the last array on it. Only what libvips
    decodes row by row needs no memory: PNG, JPEG and most TIFF, if the image is stored upright.
    """
    before = _target.set((folder, least))
    try:
        yield
    finally:
        _target.reset(before)


def decoded(image: Any) -> Array | None:
    """Decode a libvips image of uchar, ushort or float into a file.

    Returns:
        (H, W, C), mapped; None where memory is to be used.
    """
    import pyvips

    dtype = np.dtype({"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}[image.format])
    target, shape = _target.get(), (image.height, image.width, image.bands)
    if target is None or math.prod(shape) * dtype.itemsize < target[1]:
        return None
    with tempfile.TemporaryFile(dir=target[0], prefix="hyperacuity-") as file:
        image.rawsave_target(pyvips.Target.new_to_descriptor(file.fileno()))
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapping, dtype).reshape(shape)


def releasing(image: Any, raw: bytes | mmap.mmap) -> None:
    """Give back the memory of a mapped file while a libvips image that reads it is decoded into another file.

    libvips reads it once, in order; without this all of it would count as memory of this process in the end.
    """
    if _target.get() is None or not isinstance(raw, mmap.mmap) or sys.platform == "win32":
        return
    reached = 0

    def release(_: Any, progress: Any) -> None:
        nonlocal reached
        if progress.percent != reached:
            reached = progress.percent
            raw.madvise(mmap.MADV_DONTNEED)

    image.set_progress(True)
    image.signal_connect("eval", release)


def mapping_of(pixels: Array) -> mmap.mmap | None:
    """Returns the mapped file that an array lies in; None if it is in memory."""
    base: Any = pixels
    while isinstance(base, np.ndarray):
        base = base.base
    base = base.obj if isinstance(base, memoryview) else base
    return base if isinstance(base, mmap.mmap) else None


def rows_of(image: Image) -> Iterator[Array]:
    """Yield the rows of an image in parts; the memory of those that are mapped from a file is given back after each."""
    pixels, mapping = image.pixels, mapping_of(image.pixels)
    step = max(1, _PART // max(1, pixels[:1].nbytes))
    for top in range(0, len(pixels), step):
        yield pixels[top : top + step]
        if mapping is not None and sys.platform != "win32":
            mapping.madvise(mmap.MADV_DONTNEED)
