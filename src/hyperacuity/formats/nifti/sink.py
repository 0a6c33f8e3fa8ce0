"""A NIfTI file of enlarged slices."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import HyperacuityWarning, UnsupportedFormat
from hyperacuity.formats.nifti.extensions import AFNI, COMMENT, Extension, write_extensions
from hyperacuity.formats.nifti.geometry import enlarge_header, find_place_faults, forget_times
from hyperacuity.formats.nifti.recognition import SUFFIXES, split_name
from hyperacuity.formats.nifti.source import NiftiSource, load_nibabel
from hyperacuity.formats.protocol import LossWarning, PlaceWarning
from hyperacuity.storage import Partial, write_whole

# The longest side that a header of NIfTI-1 can state.
_LONGEST = 32767
# A tenth larger than the best compression, in a third of the time.
_LEVEL = 4


class PairWarning(HyperacuityWarning):
    """A header and values in two files become one file."""


class NiftiSink:
    """Writes slices into a file with the header of their source; complete or not at all.

    Args:
        path: The file to write, compressed if its name ends in ".gz".
        source: The volume that is enlarged.
        size: (height, width) of the slices.
        comment: How the file is made, for an extension of its own.
        depth: Slices of a volume; None for as many as the source has.

    Raises:
        UnsupportedFormat: If the name does not end in .nii or .nii.gz.
    """

    def __init__(
        self, path: Path, source: NiftiSource, size: tuple[int, int], comment: bytes, *, depth: int | None = None
    ) -> None:
        if split_name(path)[1].lower() not in SUFFIXES:
            raise UnsupportedFormat(
                f"{path} does not end in .nii or .nii.gz, and this is a volume of NIfTI, which becomes one file"
            )
        self._source, self._path = source, path
        self._across = next(axis for axis in range(3) if axis not in source.plane)
        self._depth = source.shape[self._across] if depth is None else depth
        header = enlarge_header(self._fitting(source, (*size, self._depth)), source.plane, size, self._depth)
        if self._depth != source.shape[self._across] and forget_times(header):
            warnings.warn(LossWarning(f"{path.name}: the times of slices are left out"), stacklevel=2)
        if faults := find_place_faults(source.header):
            warnings.warn(PlaceWarning(f"{path.name}: {' and '.join(faults)}, and the result keeps this"), stacklevel=2)
        if source.pair:
            warnings.warn(PairWarning(f"{path.name}: the pair of header and values becomes one file"), stacklevel=2)
        kept = [each for each in source.extensions if each.code != AFNI]
        if len(kept) < len(source.extensions):
            warnings.warn(
                LossWarning(f"{path.name}: AFNI's extension is left out, since it restates the old grid"), stacklevel=2
            )
        between = write_extensions([*kept, Extension(COMMENT, comment)], source.order)
        header["magic"] = b"n+1" if len(header.binaryblock) == 348 else b"n+2\0\r\n\x1a\n"
        start = len(header.binaryblock) + len(between)
        header["vox_offset"] = start + -start % 16
        self._head = header.binaryblock + between + bytes(-start % 16)
        self._stored = source.header.get_data_dtype()
        self._volume: list[NDArray[Any]] = []

    def _fitting(self, source: NiftiSource, size: tuple[int, ...]) -> Any:
        """The header of the source, in the version that can hold the size."""
        header = source.header
        if max(size) > _LONGEST and len(header.binaryblock) == 348:
            message = f"{self._path.name}: a side is longer than {_LONGEST}, so the file is NIfTI-2"
            warnings.warn(LossWarning(message), stacklevel=3)
            return load_nibabel().Nifti2Header.from_header(header, check=False)
        return header

    def write(self, pixels: NDArray[Any]) -> None:
        """Add the next slice (H, W, channels)."""
        if self._across == 2:
            self._put(pixels)
            return
        self._volume.append(pixels)
        if len(self._volume) == self._depth:
            self._put(np.stack(self._volume, axis=2 - self._across))
            self._volume = []

    def _put(self, values: NDArray[Any]) -> None:
        plain = self._stored if self._stored.names is None else np.dtype(np.uint8)
        self._file.write(np.ascontiguousarray(values, plain).tobytes())

    def __enter__(self) -> Self:
        self._partial = Partial(self._path)
        self._file: IO[bytes] = self._partial.file
        if self._path.name.lower().endswith(".gz"):
            self._file = cast("IO[bytes]", gzip.GzipFile("", "wb", _LEVEL, cast("Any", self._partial.file), mtime=0))
        self._file.write(self._head)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._file is not self._partial.file:
                    self._file.close()
                self._partial.commit()
        finally:
            self._partial.discard()


def write_record(path: Path, text: str) -> None:
    """Write a record beside a volume: "brain.hyperacuity.json" for "brain.nii.gz"."""
    write_whole(path.with_name(f"{split_name(path)[0]}.hyperacuity.json"), text.encode())
