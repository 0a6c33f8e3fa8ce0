"""The elements of an enlarged file that are neither pixels, nor geometry, nor derivation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.formats.dicom.reading import Dataset
from hyperacuity.formats.dicom.slices import DicomImage
from hyperacuity.resize import resize

# What no longer holds for other pixels.
_OUTDATED = (
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "DataSetTrailingPadding",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "HistogramSequence",
    "PixelDataProviderURL",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
_PALETTE = ("Red", "Green", "Blue", "Alpha")


def set_pixels(dataset: Dataset, image: DicomImage, frames: NDArray[Any]) -> None:
    """Replace the pixels and what describes them.

    Args:
        dataset: The elements of the file, changed in place.
        image: The source.
        frames: (frames, H, W, channels) as stored.
    """
    header = image.image_header()
    dataset.Rows, dataset.Columns = frames.shape[1:3]
    stored = frames.astype(header.dtype, copy=False)
    if header.channels == 3:
        dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
        dataset.PhotometricInterpretation = "RGB"
    if image.palette:
        dataset.BitsAllocated = dataset.BitsStored = 8 * header.dtype.itemsize
        dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
        for colour in _PALETTE:
            for name in ("LookupTableDescriptor", "LookupTableData"):
                _remove(dataset, f"{colour}PaletteColor{name}")
            _remove(dataset, f"Segmented{colour}PaletteColorLookupTableData")
        _remove(dataset, "PaletteColorLookupTableUID")
        _remove(dataset, "PixelPaddingValue")
    else:
        dataset.HighBit = int(dataset.get("BitsStored", dataset.BitsAllocated)) - 1
        unused = image.grid.allocated - image.grid.stored
        if unused and header.dtype.kind == "i":
            stored = stored.view(f"u{header.dtype.itemsize}") & np.array(
                (1 << image.grid.stored) - 1, stored.dtype.str.replace("i", "u")
            )
    data = np.ascontiguousarray(stored, stored.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OW"
    dataset["PixelData"].is_undefined_length = False
    _set_extremes(dataset, frames)


def _set_extremes(dataset: Dataset, frames: NDArray[Any]) -> None:
    """Recompute the least and the greatest value where they are stated."""
    kind = "SS" if int(dataset.get("PixelRepresentation", 0)) else "US"
    for name, value in (("SmallestImagePixelValue", frames.min()), ("LargestImagePixelValue", frames.max())):
        if name in dataset:
            if frames.shape[3] != 1:
                del dataset[name]
                continue
            dataset[name].VR = kind
            dataset[name].value = int(value)


def remove_outdated(dataset: Dataset) -> None:
    """Remove what states something about the old pixels."""
    for name in _OUTDATED:
        _remove(dataset, name)


def enlarge_overlays(dataset: Dataset, factors: tuple[float, float], size: tuple[int, int]) -> bool:
    """Enlarge the planes of overlays by nearest. Returns whether some were removed: those inside unused bits of pixels.

    Args:
        dataset: The elements of the file, changed in place.
        factors: The height and the width of a new pixel in old ones.
        size: (height, width) of the enlarged image.
    """
    removed = False
    groups = sorted({element.tag.group for element in dataset if 0x6000 <= element.tag.group <= 0x601E})
    for group in groups:
        if (group, 0x3000) not in dataset:
            removed |= int(_value(dataset, (group, 0x0100), 1)) != 1
            for element in [element.tag for element in dataset if element.tag.group == group]:
                del dataset[element]
            continue
        _enlarge_overlay(dataset, group, factors, size)
    return removed


def _enlarge_overlay(dataset: Dataset, group: int, factors: tuple[float, float], size: tuple[int, int]) -> None:
    rows, columns = int(dataset[group, 0x0010].value), int(dataset[group, 0x0011].value)
    frames = int(_value(dataset, (group, 0x0015), 1))
    bits = np.unpackbits(np.frombuffer(dataset[group, 0x3000].value, np.uint8), bitorder="little")
    planes = bits[: frames * rows * columns].reshape(frames, rows, columns)
    whole = (rows, columns) == tuple(round(side * factor) for side, factor in zip(size, factors, strict=True))
    height, width = size if whole else (max(1, round(rows / factors[0])), max(1, round(columns / factors[1])))
    larger = np.stack([resize(plane, size=(height, width), kernel="nearest") for plane in planes])
    packed = np.packbits(larger.ravel(), bitorder="little").tobytes()
    dataset[group, 0x0010].value, dataset[group, 0x0011].value = height, width
    dataset[group, 0x3000].value = packed + bytes(len(packed) % 2)
    origin = [int(part) for part in _value(dataset, (group, 0x0050), [1, 1])]
    moved = [round((part - 1) / factor) + 1 for part, factor in zip(origin, factors, strict=True)]
    if (group, 0x0050) in dataset:
        dataset[group, 0x0050].value = moved
    for element in (0x1301, 0x1302, 0x1303):  # area, mean and standard deviation of the region
        if (group, element) in dataset:
            del dataset[group, element]


def _value(dataset: Dataset, tag: tuple[int, int], default: Any) -> Any:
    return dataset[tag].value if tag in dataset and dataset[tag].value is not None else default


def _remove(dataset: Dataset, name: str) -> None:
    if name in dataset:
        del dataset[name]
