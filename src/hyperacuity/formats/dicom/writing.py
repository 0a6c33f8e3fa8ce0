"""A whole enlarged DICOM file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.dicom.derivation import Derivation, describe_derivation
from hyperacuity.formats.dicom.elements import enlarge_overlays, remove_outdated, set_pixels
from hyperacuity.formats.dicom.geometry import enlarge_geometry
from hyperacuity.formats.dicom.reading import discreet, load_pydicom, read_dataset
from hyperacuity.formats.dicom.slices import DicomImage
from hyperacuity.storage import whole

# The longest side that an element can state.
_LONGEST = 65535


def write_dataset(
    path: Path, image: DicomImage, frames: NDArray[Any], derivation: Derivation, *, keep_private: bool = False
) -> tuple[str, ...]:
    """Write an enlarged file, uncompressed, in the little-endian form with explicit types.

    Args:
        path: The file to write; complete or not at all.
        image: The source.
        frames: (frames, H, W, channels) as stored.
        derivation: How it is made.
        keep_private: Whether to keep private elements.

    Returns:
        What is lost, in words.

    Raises:
        UnsupportedFormat: If a side is longer than 65535 pixels.
        DamagedFile: If the elements of the source cannot be written.
    """
    height, width = frames.shape[1:3]
    if max(height, width) > _LONGEST:
        raise UnsupportedFormat(
            f"{image.path}: a side of {max(height, width)} pixels is longer than DICOM allows ({_LONGEST})"
        )
    pydicom = load_pydicom()
    dataset = read_dataset(image.path)
    lost = []
    with discreet(image.path, "its data elements cannot be written again"):
        dataset.decode()
        factors = image.grid.rows / height, image.grid.columns / width
        if not keep_private:
            before = sum(1 for _ in dataset.iterall())
            dataset.remove_private_tags()
            if sum(1 for _ in dataset.iterall()) < before:
                lost.append("private elements, which may restate the old geometry")
        remove_outdated(dataset)
        if enlarge_overlays(dataset, factors, (height, width)):
            lost.append("overlays in unused bits of pixels")
        enlarge_geometry(dataset, factors)
        set_pixels(dataset, image, frames)
        describe_derivation(dataset, derivation)
        meta = pydicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "") or pydicom.uid.SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.SOPClassUID = meta.MediaStorageSOPClassUID
        result = pydicom.Dataset(dataset)
        result.file_meta = meta
        result.preamble = bytes(128)
        with whole(path) as temporary, temporary.open("wb") as file:
            pydicom.dcmwrite(file, result, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return tuple(lost)
