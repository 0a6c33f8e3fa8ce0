"""rasterio, which reads and writes rasters through GDAL: an extra that is imported when a raster is opened."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hyperacuity.errors import DamagedFile, HyperacuityError, MissingDependency, UsageError

# GDAL's cache of blocks, in MB; its default is a twentieth of the machine's memory.
CACHE = 64


def load_rasterio(what: str) -> Any:
    """Import rasterio.

    Args:
        what: What needs it, for the message.

    Raises:
        MissingDependency: If it is not installed.
    """
    try:
        import rasterio
        import rasterio.shutil
        import rasterio.windows
    except ImportError as error:
        raise MissingDependency(f"{what} needs rasterio: pip install 'hyperacuity[satellite]'") from error
    return rasterio


@contextlib.contextmanager
def gdal() -> Iterator[None]:
    """Settings of GDAL for reading and writing: a small cache, masks inside the file."""
    rasterio = load_rasterio("a raster")
    settings = {"GDAL_CACHEMAX": CACHE, "GDAL_TIFF_INTERNAL_MASK": True}
    with rasterio.Env(**settings), warnings.catch_warnings():
        # A raster without a transform is kept without one.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of GDAL while a file is read into `DamagedFile`."""
    try:
        yield
    except HyperacuityError:
        raise
    except _errors() as error:
        raise DamagedFile(f"{path} cannot be read: {_detail(error)}") from error


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of GDAL while a file is written into `UsageError`."""
    try:
        yield
    except HyperacuityError:
        raise
    except _errors() as error:
        raise UsageError(f"{path} was not written: {_detail(error)}") from error


def _errors() -> tuple[type[Exception], ...]:
    """What rasterio raises: some errors of GDAL have no public class, and damaged headers give invalid values."""
    import rasterio._err
    import rasterio.errors

    return rasterio.errors.RasterioError, rasterio._err.CPLE_BaseError, ValueError, OverflowError, TypeError


def _detail(error: Exception) -> str:
    return str(error.__cause__ or error).replace("\n", " ")
