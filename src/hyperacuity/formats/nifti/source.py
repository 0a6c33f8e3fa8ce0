"""The slices of a NIfTI file, read forwards."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import DamagedFile, MissingDependency, UnsupportedFormat, UsageError
from hyperacuity.formats.nifti.extensions import Extension, read_extensions
from hyperacuity.formats.nifti.geometry import PLANES, find_plane
from hyperacuity.formats.nifti.recognition import GZIP, is_values_of_pair, magic, needs_values, other_of_pair
from hyperacuity.image import Header, Measured

Pixels = NDArray[Any]

# The code of volumes whose values are names of regions.
_LABEL = 1002
# No stream is compressed by more than this by gzip, so a header cannot announce more values.
_MOST_COMPRESSED = 1032
_SPATIAL = 3
# Extensions of a pair reach to the end of the file of the header, but not further than this.
_MOST_EXTENSIONS = 64 << 20


def load_nibabel() -> Any:
    """Import nibabel.

    Raises:
        MissingDependency: If it is not installed.
    """
    try:
        import nibabel
    except ImportError as error:
        raise MissingDependency("NIfTI needs nibabel: pip install 'hyperacuity[medical]'") from error
    return nibabel


class NiftiSource:
    """A NIfTI file, of which slices are read in the order of the file.

    Args:
        path: The file, compressed or not; of a pair either file.
        plane: "xy", "xz" or "yz", the axes of the slices; None to find them.

    Attributes:
        path: The file.
        header: nibabel's header.
        order: "<" or ">", the byte order of the file.
        extensions: Blocks between the header and the values.
        shape: Voxels along each axis; three at least.
        plane: The axes of a slice: columns, rows.
        slices: How many there are.
        pair: Whether the header and the values lie in two files.

    Raises:
        MissingDependency: If nibabel is not installed.
        DamagedFile: If the header is damaged, or announces more values than the file can hold, or if the other file of
            a pair is missing.
        UnsupportedFormat: If the values are not real numbers.
    """

    def __init__(self, path: Path, plane: str | None = None) -> None:
        self.path = path
        nibabel = load_nibabel()
        header, self._values = _files(path)
        self.pair = header != self._values
        with self._open(header) as file:
            head = self._read(file, 540)
            kind = magic(head)
            if kind is None:
                raise DamagedFile(f"{path} has no header of NIfTI")
            if (kind in (b"ni1", b"ni2")) != self.pair:
                raise DamagedFile(f"{path}: its header does not say where its values lie")
            self._size = 348 if kind in (b"n+1", b"ni1") else 540
            types = nibabel.Nifti1Header if self._size == 348 else nibabel.Nifti2Header
            self.header = types(head[: self._size], check=False)
            self.order = cast("str", self.header.endianness)
            self._check()
            between = head[self._size :]
            between += self._read(file, _MOST_EXTENSIONS if self.pair else max(0, self._offset - 540))
        end = None if self.pair else self._offset - self._size
        self.extensions: list[Extension] = read_extensions(between[:end], self.order)
        shape = self.header.get_data_shape()
        self.shape = (*shape, *(1,) * (_SPATIAL - len(shape)))
        if plane is not None and plane not in PLANES:
            raise UsageError(f"no plane {plane!r}: there are {', '.join(PLANES)}")
        self.plane = PLANES[plane] if plane else find_plane(tuple(self.header["pixdim"][1:4]), self.shape)
        self.slices = math.prod(self.shape) // math.prod(self.shape[axis] for axis in self.plane)

    def _check(self) -> None:
        """Raise an error for a header that cannot be believed."""
        name = self.path
        dims = [int(side) for side in self.header["dim"]]
        if not 1 <= dims[0] <= 7 or any(side < 1 for side in dims[1 : dims[0] + 1]):
            raise DamagedFile(f"{name}: the header states impossible dimensions")
        try:
            dtype = self.header.get_data_dtype()
        except Exception as error:
            raise UnsupportedFormat(f"{name}: the type of its values is unknown") from error
        if dtype.kind == "c":
            raise UnsupportedFormat(
                f"{name} holds complex values, whose parts are not intensities: save magnitudes instead"
            )
        if (dtype.kind == "V" and dtype.names is None) or dtype.itemsize > 8:
            raise UnsupportedFormat(f"{name}: values of type {dtype} are not supported")
        offset = float(self.header["vox_offset"])
        if not (math.isfinite(offset) and 0 <= offset < 1 << 31):
            raise DamagedFile(f"{name}: the header states an impossible place of the values")
        self._offset = int(offset) if self.pair else max(int(offset), self._size + 4)
        expected = math.prod(dims[1 : dims[0] + 1]) * dtype.itemsize
        size = self._values.stat().st_size
        if expected > (size * _MOST_COMPRESSED if self._compressed else size - self._offset):
            raise DamagedFile(f"{name} is truncated: its header announces {expected} bytes of values")

    @property
    def scaling(self) -> tuple[float, float]:
        """The slope and the intercept that turn stored values into real ones."""
        slope, intercept = (float(self.header[name]) for name in ("scl_slope", "scl_inter"))
        if not math.isfinite(slope) or slope == 0 or not math.isfinite(intercept):
            return 1.0, 0.0
        return slope, intercept

    @property
    def image_header(self) -> Header:
        """What all slices have in common; values of the machine's byte order."""
        stored = self.header.get_data_dtype()
        channels = 1 if stored.names is None else len(stored.names)
        dtype = (np.dtype(np.uint8) if stored.names else stored).newbyteorder("=")
        levels: tuple[float, float] = (0, 1)
        if dtype.kind in "iu":
            levels = (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        measured = Measured(categorical=int(self.header["intent_code"]) == _LABEL)
        width, height = (self.shape[axis] for axis in self.plane)
        return Header(height, width, channels, dtype, levels, measured=measured)

    def __iter__(self) -> Iterator[Pixels]:
        """The slices (h, w, channels), in the machine's byte order.

        Raises:
            DamagedFile: If the file is cut short or its compression is damaged.
        """
        stored = self.header.get_data_dtype()
        header = self.image_header
        channels = header.channels
        spatial = self.shape[:_SPATIAL]
        contiguous = self.plane == (0, 1)
        step = math.prod(spatial[:2]) if contiguous else math.prod(spatial)
        with self._open(self._values) as file:
            self._read(file, self._offset)
            for _ in range(math.prod(self.shape) // step):
                data = self._read(file, step * stored.itemsize)
                if len(data) < step * stored.itemsize:
                    raise DamagedFile(f"{self.path} is truncated: slices are missing at its end")
                if stored.names:
                    values = np.frombuffer(data, np.uint8).reshape(-1, channels)
                else:
                    values = np.frombuffer(data, stored).astype(header.dtype, copy=False).reshape(-1, 1)
                if contiguous:
                    yield values.reshape(spatial[1], spatial[0], channels)
                    continue
                volume = values.reshape(*reversed(spatial), channels)  # z, y, x
                across = next(axis for axis in range(3) if axis not in self.plane)
                yield from np.moveaxis(volume, 2 - across, 0)
            if self._compressed:
                self._read(file, 1)  # compares the checksum

    @property
    def _compressed(self) -> bool:
        return _is_compressed(self._values)

    def _open(self, path: Path) -> IO[bytes]:
        return cast("IO[bytes]", gzip.open(path)) if _is_compressed(path) else path.open("rb")

    def _read(self, file: IO[bytes], size: int) -> bytes:
        """Up to `size` bytes."""
        try:
            return file.read(size)
        except EOFError as error:
            raise DamagedFile(f"{self.path} is truncated: its compressed data end too early") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DamagedFile(f"{self.path}: its compressed data are damaged") from error


def _files(path: Path) -> tuple[Path, Path]:
    """The file of the header and that of the values.

    Raises:
        DamagedFile: If one of a pair is missing.
    """
    if is_values_of_pair(path):
        return other_of_pair(path), path
    if not needs_values(path):
        return path, path
    values = other_of_pair(path)
    if not values.is_file():
        raise DamagedFile(f"{path} has its values in a second file, {values.name}, which is missing")
    return path, values


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP
