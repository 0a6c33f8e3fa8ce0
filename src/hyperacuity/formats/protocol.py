"""The interface of a format, what its files can hold, and the warning if something does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from hyperacuity.errors import HyperacuityWarning
from hyperacuity.formats.content import Content
from hyperacuity.image import Image, Item, Strips

# Larger than any image.
UNLIMITED = 2**31 - 1


class LossWarning(HyperacuityWarning):
    """A part of the input does not fit into the output format; the message names it."""


class PlaceWarning(HyperacuityWarning):
    """A volume or a raster does not state where it lies, or states what cannot be."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a file of a format can hold. Everything else of an image is lost; this record decides the `LossWarning`s.

    Args:
        name: The name of the format in messages.
        depths: Bits of a value, ascending: 8, 9 to 16 (stored in 16), 32 for floats.
        channels: Numbers of colour channels: 1 (grey), 3 (RGB).
        side: The greatest height or width in pixels.
        nbytes: The greatest size of an image in bytes.
        alpha: Whether pixels can be transparent.
        animated: Whether it holds the frames of an animation.
        pages: Whether it holds several images without durations.
        mixed: Whether its pages may differ in size and type.
        levels: Whether it can state a white level below the greatest value of its type.
        grey: Whether grey is stored as one channel and not as three.
        lossy: Whether pixels are always compressed with loss.
        palette: How many colours an image has at most; None for no limit.
        metadata: The fields of `Metadata` that it holds, each with its largest size in bytes. "native" stands for
            the format's own form of metadata.
        extended_xmp: Whether a packet longer than its limit can be divided.
        coloured: The ending of a sister format that holds colours, if this one does not.
    """

    name: str
    depths: tuple[int, ...] = (8,)
    channels: tuple[int, ...] = (1, 3)
    side: int = UNLIMITED
    nbytes: int | None = None
    alpha: bool = False
    animated: bool = False
    pages: bool = False
    mixed: bool = False
    levels: bool = False
    grey: bool = True
    lossy: bool = False
    palette: int | None = None
    metadata: Mapping[str, int] = field(default_factory=dict)
    extended_xmp: bool = False
    coloured: str = ""

    def depth(self, dtype: np.dtype[Any]) -> int:
        """Return the least depth that holds `dtype` without loss, or else the greatest available."""
        return next((depth for depth in self.depths if depth > dtype.itemsize * 4), self.depths[-1])


class Source(Protocol):
    """An open file. Iterating yields its images in order, each decoded when it is asked for."""

    @property
    def suffix(self) -> str:
        """The ending that fits the content, such as ".png"."""
        ...

    @property
    def frames(self) -> int: ...

    @property
    def loop(self) -> int | None:
        """How often an animation plays; 0 = for ever; None = not an animation."""
        ...

    @property
    def lossless(self) -> bool:
        """Whether the file was encoded without loss."""
        ...

    def __iter__(self) -> Iterator[Image]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sink(Protocol):
    """A file being written, under a temporary name until the `with` block ends without an error."""

    def write(self, strips: Strips) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FormatModule(Protocol):
    """A module that reads and writes one format of images.

    Attributes:
        HOLDS: What its files can hold; None if it only reads.
    """

    @property
    def HOLDS(self) -> Capacity | None: ...  # noqa: N802 - constants of a module

    def read(self, content: Content) -> Source:
        """Open a file that the format accepts; only its headers are read.

        Raises:
            DamagedFile: If the headers are damaged.
            UnsupportedFormat: If the file uses an unsupported feature, or announces too many pixels.
        """
        ...

    def inventory(self, content: Content) -> tuple[Item, ...]:
        """List everything that a file of this format holds besides its main pixels, without decoding them.

        Nothing that the program does not know may be missing; structure that every file of the format has is not
        listed. The images that `read` yields carry the same items in their metadata.

        Raises:
            DamagedFile: If the structure of the file is damaged.
        """
        ...

    def write(self, path: Path, like: Source | None, *, quality: int | None = None) -> Sink:
        """Return a sink for a file that carries over the metadata of the source `like`.

        Raises:
            UsageError: If the format cannot hold the frames or pages of `like`, or the quality is out of range.
        """
        ...


class Format(FormatModule, Protocol):
    """A format of images in the table.

    Attributes:
        SUFFIXES: The endings of the files that it writes, lower case with the dot, the usual one first.
        ONLY_READ: More endings, of files that it reads and does not write.
        READS: The formats that it reads, in words, for messages.
    """

    @property
    def SUFFIXES(self) -> tuple[str, ...]: ...  # noqa: N802

    @property
    def ONLY_READ(self) -> tuple[str, ...]: ...  # noqa: N802

    @property
    def READS(self) -> tuple[str, ...]: ...  # noqa: N802

    def accepts(self, content: Content) -> bool:
        """Return whether a file is of this format, by its bytes; the ending of its name never decides."""
        ...
