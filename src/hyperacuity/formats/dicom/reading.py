"""The elements of a DICOM file. Errors of pydicom quote values, and these may be a patient's: ours never do."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hyperacuity.errors import DamagedFile, HyperacuityError, MissingDependency

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
    except (HyperacuityError, MemoryError, OSError):
        raise
    except Exception:
        raise DamagedFile(f"{path}: {problem}") from None
    finally:
        logger.setLevel(level)


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
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=not pixels)
        for _ in dataset:  # elements are decoded when they are first used
            pass
        return dataset
