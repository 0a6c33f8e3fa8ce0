"""A file of any image format being written: takes images, fits them to the format and has them encoded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from hyperacuity.errors import HyperacuityError, OutOfMemory, UsageError
from hyperacuity.formats.photo import fitting, vips
from hyperacuity.formats.photo.encoder import Encode, EncoderInput
from hyperacuity.formats.photo.spool import Page, Spool, bands
from hyperacuity.formats.protocol import Capacity, LossWarning, Source
from hyperacuity.image import Array, Header, Metadata, Strips, convert
from hyperacuity.storage import Partial, storing


class PhotoSink:
    """A `Sink` for images and animations.

    Frames are kept as they arrive and encoded when the `with` block ends. The only frame of a file whose encoder can
    follow is encoded while it arrives, if it stays in memory.

    Integers whose levels are not the full range of their type are stretched to it (exactly invertible), unless the
    format can state levels. Depth that the format cannot hold is rounded and alpha is composed with white, each with a
    `LossWarning`. If anything fails, an existing file stays unchanged and no other file remains.

    Args:
        path: The file to write.
        like: The source of the images; None if there is none.
        quality: 1 to 100; None for the format's default.
        holds: What the format can hold.
        encode: Writes the finished file.
        follows: Whether `encode` takes the rows of one image in their order, as they arrive.

    Raises:
        UsageError: Before any work if quality, size, channels or frames do not fit; later for a full disk or a
            forbidden folder.
    """

    def __init__(
        self,
        path: Path,
        like: Source | None,
        quality: int | None,
        holds: Capacity,
        encode: Encode,
        *,
        follows: bool = False,
    ) -> None:
        if quality is not None and not 1 <= quality <= 100:
            raise UsageError(f"a quality of {quality}: give 1 (smallest file) to 100 (best)")
        if like is not None and like.frames > 1:
            if like.loop is None and not holds.pages:
                cure = _instead(lambda other: other.pages)
                raise UsageError(f"{path}: {holds.name} holds one page, not {like.frames}; {cure}")
            if like.loop is not None and not (holds.animated or holds.pages):
                cure = _instead(lambda other: other.animated)
                raise UsageError(f"{path}: {holds.name} does not hold {like.frames} frames; {cure}")
        self.path = path
        self._holds = holds
        self._encode = encode
        self._follows = follows and like is not None and like.frames == 1
        self._like = like
        self._quality = quality
        self._pages: list[Page] = []
        self._metadata: list[Metadata] = []
        self._named: set[str] = set()
        self._flattened = False
        self._failed = False
        self._out: Partial | None = None
        self._spool = Spool(path)
        self._encoder = ThreadPoolExecutor(1, "hyperacuity-encoder")
        self._encoding: Future[None] | None = None

    def __enter__(self) -> Self:
        with storing(self.path):
            self._out = Partial(self.path)
        return self

    def write(self, strips: Strips) -> None:
        """Take in one image, from top to bottom.

        Raises:
            UsageError: If the image does not fit, before its first row is asked for.
        """
        self._failed = True
        header = strips.header
        self._check_size(header)
        stored = fitting.stored_header(self._holds, header)
        if self._pages and not self._holds.mixed:
            self._check_like_the_first(stored)
        self._spool.check_room(stored)
        same = self._like is not None and self._like.suffix == self.path.suffix.lower()
        losses = fitting.lost_pixels(self._holds, header, same_format=same)
        for loss in losses + fitting.lost_metadata(self._holds, header):
            self._warn(loss)
        self._metadata.append(header.metadata)
        with storing(self.path):
            follow = self._begin if self._follows and not self._pages else None
            self._pages.append(self._spool.add(stored, self._conformed(header, stored, strips), follow))
        self._failed = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._failed:
                self._finish()
        finally:
            # The encoder has all its rows, or gets no more: it ends by itself.
            self._encoder.shutdown()
            self._spool.discard()
            if self._out is not None:
                self._out.discard()

    def _begin(self, page: Page) -> None:
        """Encode a page while its rows arrive."""
        self._encoding = self._encoder.submit(self._encode, self._input([page]))

    def _input(self, pages: list[Page]) -> EncoderInput:
        assert self._out is not None
        fitted: list[Metadata] = []
        for index, page in enumerate(pages):
            # The frames of an animation share theirs.
            if index and self._metadata[index] == self._metadata[index - 1] and self._same_size(pages, index):
                fitted.append(fitted[-1])
                continue
            metadata, losses = fitting.fitting_metadata(self._holds, self._metadata[index], page.header)
            for loss in losses:
                self._warn(loss)
            fitted.append(metadata)
        loop = self._like.loop if self._like is not None else None
        lossless = self._like.lossless if self._like is not None else True
        return EncoderInput(self._out, pages, fitted, self._quality, loop or 0, lossless)

    def _finish(self) -> None:
        import pyvips

        if not self._pages or self._out is None:
            raise UsageError(f"{self.path}: no image was written")
        if self._flattened:
            self._warn(f"{self._holds.name} has no transparency: the image was laid over white")
        pyvips.vips_lib.vips_error_clear()
        with storing(self.path):
            try:
                if self._encoding is not None:
                    self._encoding.result()
                else:
                    self._encode(self._input(self._pages))
            except pyvips.Error as error:
                raise self._failure(error) from error
            self._out.commit()

    def _failure(self, error: Exception) -> HyperacuityError:
        """Our error for one of libvips'."""
        if vips.NO_MEMORY.search(str(error)):
            return OutOfMemory(
                f"{self.path} was not written: memory ran out while it was encoded; close other programs"
            )
        if "No space left" in str(error) or "File too large" in str(error):
            return UsageError(f"{self.path} was not written: the disk is full (or a quota is reached); free some space")
        return UsageError(f"{self.path} was not written: {vips.reason(error)}")

    def _check_size(self, header: Header) -> None:
        """Raise `UsageError` if the format cannot hold this size or number of channels."""
        holds = self._holds
        if header.height < 1 or header.width < 1:
            raise UsageError(f"{self.path}: an image of {header.width} × {header.height} pixels cannot be written")
        side = max(header.height, header.width)
        if side > holds.side or (holds.nbytes is not None and header.nbytes > holds.nbytes):
            most = f"{holds.side} a side" if side > holds.side else f"{holds.nbytes} bytes"
            cure = _instead(lambda other: other.side >= side and not other.lossy)
            raise UsageError(
                f"{self.path}: {header.width} × {header.height} pixels are more than {holds.name} holds ({most}); "
                f"{cure}"
            )
        if header.colours not in holds.channels:
            raise UsageError(f"{self.path}: {holds.name} holds no colours; write to {holds.coloured} instead")

    def _check_like_the_first(self, stored: Header) -> None:
        first = self._pages[0].header
        if not (self._holds.animated or self._holds.pages):
            raise UsageError(f"{self.path}: {self._holds.name} holds one image; this is the second")
        if (stored.shape, stored.dtype) != (first.shape, first.dtype):
            raise UsageError(
                f"{self.path}: all frames and pages must have one size and type, and this one has {stored.shape} of "
                f"{stored.dtype} after {first.shape} of {first.dtype}; write each to a separate file"
            )

    @staticmethod
    def _same_size(pages: list[Page], index: int) -> bool:
        return pages[index].header.shape == pages[index - 1].header.shape

    def _warn(self, loss: str) -> None:
        """Name a loss, once for all pages."""
        if loss in self._named:
            return
        self._named.add(loss)
        warnings.warn(LossWarning(f"{self.path.name}: {loss}"), stacklevel=4)

    def _conformed(self, header: Header, stored: Header, strips: Strips) -> Iterator[Array]:
        """Rows as the file will hold them, a few megabytes at a time: never a second copy of the image."""
        for strip in strips.rows:
            for band in bands(strip):
                rows = band
                if header.alpha and not stored.alpha:
                    rows = self._over_white(band, header.levels)
                yield convert(rows, header.levels, stored.dtype, stored.levels)

    def _over_white(self, band: Array, levels: tuple[float, float]) -> Array:
        """Rows without alpha, composed with white."""
        black, white = levels
        alpha = np.clip((band[..., -1:].astype(np.float64) - black) / (white - black), 0, 1)
        if alpha.min() == 1:
            return band[..., :-1]
        self._flattened = True
        colours = white + (band[..., :-1] - float(white)) * alpha
        return (np.floor(colours + 0.5) if band.dtype.kind == "u" else colours).astype(band.dtype)


def _instead(fits: Callable[[Capacity], bool]) -> str:
    """The cure that names other formats, such as "write to .png or .tif instead"."""
    from hyperacuity.formats import table  # here, since the table imports the formats, and they this module

    return f"write to {table.holding(fits)} instead"
