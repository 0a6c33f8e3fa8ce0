"""An open file of any image format: a `Source` around what the format's module found in its headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from hyperacuity.errors import DamagedFile, OutOfMemory, UnsupportedFormat, UsageError
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import glib, vips
from hyperacuity.image import Image


@dataclass(frozen=True)
class Contents:
    """What a format found in a file's headers, and how it decodes the rest.

    Args:
        frames: How many images the file holds.
        loop: How often an animation plays; 0 = for ever; None = not an animation.
        lossless: Whether its pixels are exact.
        decode: Yields the images in order; called for each pass over the images.
    """

    frames: int
    loop: int | None
    lossless: bool
    decode: Callable[[], Iterator[Image]]


class PhotoSource:
    """A `Source` of the images in one file.

    Args:
        name: The name of the file in messages.
        suffix: The ending that its copy gets, one that can be written.
        contents: What its format found.
    """

    def __init__(self, name: str, suffix: str, contents: Contents) -> None:
        self.name = name
        self.suffix = suffix
        self.frames = contents.frames
        self.loop = contents.loop
        self.lossless = contents.lossless
        self._contents: Contents | None = contents

    def __iter__(self) -> Iterator[Image]:
        if self._contents is None:
            raise UsageError(f"{self.name} is closed; open it again to read it")
        with naming(self.name):
            yield from self._contents.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Drops the mapping of the file too, once no decoder holds it.
        self._contents = None


def open_source(content: Content, suffix: str, parse: Callable[[Bytes], Contents]) -> PhotoSource:
    """Open a file of a known format.

    Args:
        content: The file.
        suffix: The ending that its copy gets.
        parse: Reads the headers in the bytes of the file.

    Raises:
        DamagedFile: If the headers are damaged.
        UnsupportedFormat: If the file uses an unsupported feature, or announces too many pixels.
    """
    raw = content.whole()
    with naming(content.name):
        return PhotoSource(content.name, suffix, parse(raw))


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the file's name before each error, and turn libvips' errors into ours."""
    import pyvips

    glib.silence_terminal()
    pyvips.vips_lib.vips_error_clear()
    try:
        yield
    except pyvips.Error as error:
        if vips.NO_MEMORY.search(str(error)):
            raise OutOfMemory(f"{name} does not fit into the memory that is left; close other programs") from error
        raise DamagedFile(f"{name} is damaged: {vips.reason(error)}") from error
    except UnicodeDecodeError as error:  # of libvips' message
        raise DamagedFile(f"{name} is damaged: its pixels cannot be decoded") from error
    except DamagedFile as error:
        raise DamagedFile(f"{name} is damaged: {error}") from error
    except UnsupportedFormat as error:
        raise UnsupportedFormat(f"{name} cannot be read: {error}") from error
