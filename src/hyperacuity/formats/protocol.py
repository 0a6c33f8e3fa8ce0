"""What every format offers to the pipeline, and what it says when something does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from hyperacuity.errors import HyperacuityWarning
from hyperacuity.image import Image, Strips


class LossWarning(HyperacuityWarning):
    """Something of the input does not fit into the chosen output format; the message says what."""


class Source(Protocol):
    """An open file. Iterating gives its images in order, decoded when they are asked for."""

    @property
    def suffix(self) -> str:
        """The ending that fits the content, such as ".png"."""
        ...

    @property
    def frames(self) -> int: ...

    @property
    def loop(self) -> int | None:
        """How often an animation plays; 0 = for ever; None = it is not one."""
        ...

    def __iter__(self) -> Iterator[Image]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sink(Protocol):
    """A file being written, under a temporary name until the `with` block ends well."""

    def write(self, strips: Strips) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
