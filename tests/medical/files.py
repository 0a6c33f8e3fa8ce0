"""DICOM and NIfTI files made for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

CANARY = "CANARY^X"


def slice_pixels(rows: int = 24, columns: int = 40, dtype: Any = np.int16) -> NDArray[Any]:
    """Smooth structures and an edge, of a few hundred levels."""
    y, x = np.mgrid[:rows, :columns]
    values = 300 + 150 * np.sin(x / 3) * np.cos(y / 4) + 200 * (x > y)
    result: NDArray[Any] = values.astype(dtype)
    return result


def write_dicom(path: Path, pixels: NDArray[Any], number: int = 1, **elements: Any) -> Path:
    """A CT slice with non-square pixels and an oblique orientation."""
    import pydicom
    from pydicom.dataset import FileMetaDataset

    dataset = pydicom.Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.2.1143.{number}"
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.2.1143.900"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.2.1143.901"
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.2.1143.902"
    dataset.Modality, dataset.PatientName, dataset.PatientID = "CT", CANARY, CANARY
    dataset.StudyDate, dataset.StudyTime = "20200101", "120000"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.InstanceNumber = 3, number
    dataset.SliceThickness = "5"
    dataset.PixelSpacing = ["0.9", "0.6"]
    c, s = np.cos(0.3), np.sin(0.3)
    dataset.ImageOrientationPatient = [f"{v:.10f}" for v in (c, s, 0, -s, c, 0)]
    dataset.ImagePositionPatient = ["-100.5", "20.25", str(5 * number)]
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 8 * pixels.dtype.itemsize
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset["PixelData"].VR = "OW"
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_nifti(path: Path, values: NDArray[Any], affine: NDArray[Any] | None = None, **header: Any) -> Path:
    """A volume with an oblique affine, sform and qform."""
    nibabel: Any = pytest.importorskip("nibabel", reason="needs nibabel")

    if affine is None:
        c, s = np.cos(0.2), np.sin(0.2)
        turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([0.8, 1.1, 3.0])
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = turned, (-40, 12.5, 7)
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_data_dtype(values.dtype)
    image.set_qform(affine, 1)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path
