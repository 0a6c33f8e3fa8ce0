"""The elements of a DICOM file. Errors of pydicom quote values, and these may be a patient's: ours never do."""

from __future__ import annotations

import contextlib
import logging
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hyperacuity.errors import DamagedFile, HyperacuityError, MissingDependency

# The transfer syntax of deflated files, which the first bytes name; the gain of deflate at most; the most to inflate.
_DEFLATED, _META = b"1.2.840.10008.1.2.1.99", 1024
_MOST_DEFLATED, _LARGEST = 1032, 2 << 30

# pydicom's data sets have no types.
Dataset = Any


def load_pydicom() -> Any:
    """Import pydicom.

    Raises:
        MissingDependency: If it is not installed.
    """
    try:
        import pydicom
        import pydicom.pixels
    except ImportError as error:
        raise MissingDependency("DICOM needs pydicom: pip install 'hyperacuity[medical]'") from error
    return pydicom


@contextlib.contextmanager
def discreet(path: Path, problem: str) -> Iterator[None]:
    """Turn every error of pydicom into one without values of the file, and drop its warnings.

    Args:
        path: The file.
        problem: What is wrong with it if an error occurs: "its pixels are damaged".
    """
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (HyperacuityError, MemoryError):
        raise
    except Exception as error:
        # Errors of the system have a number; pydicom raises its own without one, and these may quote values.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedFile(f"{path}: {problem}") from None
    finally:
        logger.setLevel(level)


def _check_deflated(path: Path) -> None:
    """Raise `DamagedFile` for a deflated file that would fill the memory: pydicom inflates it in one piece."""
    with path.open("rb") as file:
        head = file.read(_META)
    if _DEFLATED not in head or path.stat().st_size * _MOST_DEFLATED < _LARGEST:
        return
    meta = load_pydicom().filereader.read_file_meta_info(path)
    start = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(start)
        while (data := inflater.unconsumed_tail or file.read(1 << 20)) and not inflater.eof:
            size += len(inflater.decompress(data, 1 << 22))
            if size > _LARGEST:
                raise DamagedFile(f"{path} is deflated and would take more than {_LARGEST >> 30} GiB of memory")


def read_dataset(path: Path, *, pixels: bool = True) -> Dataset:
    """Read the elements of a file.

    Args:
        path: The file.
        pixels: Whether to read those of the pixels too.

    Raises:
        DamagedFile: If they are damaged.
        MissingDependency: If pydicom is not installed.
    """
    pydicom = load_pydicom()
    with discreet(path, "its data elements are damaged"):
        _check_deflated(path)
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=not pixels)
        for _ in dataset:  # elements are decoded when they are first used
            pass
        return dataset
