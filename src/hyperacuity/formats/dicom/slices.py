"""The pixels of a DICOM file, frame by frame, and what is known about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import DamagedFile, MissingDependency, UnsupportedFormat
from hyperacuity.formats.dicom.isolated import DECODER, PLUGIN
from hyperacuity.formats.dicom.reading import Dataset, discreet, load_pydicom, read_dataset
from hyperacuity.image import Header, Measured

Pixels = NDArray[Any]

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
# JPEG of 12 bits, which only a decoder under the GPL reads.
_EXTENDED_JPEG = "1.2.840.10008.1.2.4.51"
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
_GREYS = ("MONOCHROME1", "MONOCHROME2")
# Units that are shown; any other text is a value of the file.
_UNITS = ("HU", "OD")
# More pixels than this in a frame are not an image of this kind. Frames of more bytes than the second figure may not be
# compressed by more than the third.
_MOST_PIXELS = 1 << 30
_LARGE_FRAME, _MOST_COMPRESSED = 1 << 28, 2000


class Grid(NamedTuple):
    """What files have in common that are enlarged with one range; the first is the series."""

    series: str
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    photometric: str


class DicomImage:
    """A DICOM file with pixels, which are decoded when they are asked for.

    Args:
        path: The file.

    Attributes:
        path: The file.
        dataset: Its elements without those of the pixels.
        grid: What it has in common with the files of its series.
        frames: How many there are.

    Raises:
        DamagedFile: If its elements are damaged.
        UnsupportedFormat: If it holds no pixels, or pixels that are no intensities.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dataset = read_dataset(path, pixels=False)
        with discreet(path, "its elements contradict each other"):
            self._refuse()
            get = self.dataset.get
            self.frames = int(get("NumberOfFrames", 1) or 1)
            self.grid = Grid(
                str(get("SeriesInstanceUID", "")),
                int(get("Rows")),
                int(get("Columns")),
                int(get("SamplesPerPixel", 1)),
                int(get("BitsAllocated")),
                int(get("BitsStored", get("BitsAllocated"))),
                bool(get("PixelRepresentation", 0)),
                str(get("PhotometricInterpretation", "MONOCHROME2")),
            )
        self._check_grid()

    def _refuse(self) -> None:
        """Raise an error for what is no image of intensities."""
        dataset, path = self.dataset, self.path
        kind = str(dataset.get("SOPClassUID", ""))
        if kind == _SEGMENTATION or dataset.get("BitsAllocated") == 1:
            raise UnsupportedFormat(f"{path} is a segmentation, whose regions have no intensities to enlarge")
        if kind == _DOSE:
            raise UnsupportedFormat(f"{path} is a distribution of dose, which a model of images must not change")
        if kind == _WHOLE_SLIDE:
            raise UnsupportedFormat(f"{path} is a tile of a whole slide: export the region as TIFF first")
        if "SpectroscopyData" in dataset:
            raise UnsupportedFormat(f"{path} holds spectra and no image")
        if "MOSAIC" in dataset.get("ImageType", ()):
            raise UnsupportedFormat(
                f"{path} is a mosaic, whose slices lie side by side: convert it to NIfTI first (dcm2niix)"
            )
        if "Rows" not in dataset or "BitsAllocated" not in dataset:
            raise UnsupportedFormat(f"{path} holds no image: a plan, a report, structures or signals, or a part of one")

    def _check_grid(self) -> None:
        grid, path = self.grid, self.path
        if grid.allocated not in (8, 16):
            raise UnsupportedFormat(f"{path}: pixels of {grid.allocated} bits are not supported, only of 8 and 16")
        if not 1 <= grid.stored <= grid.allocated:
            raise DamagedFile(f"{path}: it states {grid.stored} bits of values in pixels of {grid.allocated} bits")
        if grid.rows < 1 or grid.columns < 1 or self.frames < 1 or grid.rows * grid.columns > _MOST_PIXELS:
            raise DamagedFile(f"{path}: it states impossible dimensions")
        size = grid.rows * grid.columns * grid.samples * grid.allocated // 8
        if size > max(_LARGE_FRAME, _MOST_COMPRESSED * path.stat().st_size):
            raise DamagedFile(f"{path} claims {grid.columns}x{grid.rows} pixels, but is far too small for them")
        known = _COLOURS if grid.samples == 3 else (*_GREYS, "PALETTE COLOR")
        if grid.samples not in (1, 3) or grid.photometric not in known:
            raise UnsupportedFormat(f"{path}: this kind of colours is not supported")

    @property
    def palette(self) -> bool:
        """Whether pixels are indexes of colours."""
        return self.grid.photometric == "PALETTE COLOR"

    def image_header(self, padding: float | None = None) -> Header:
        """What all frames have in common.

        Args:
            padding: The stored value without a measurement, if the file declares none.
        """
        grid = self.grid
        if grid.samples == 3 or self.palette:
            bits = self._palette_bits() if self.palette else grid.stored
            dtype = np.dtype(np.uint8 if (bits if self.palette else grid.allocated) <= 8 else np.uint16)
            return Header(grid.rows, grid.columns, 3, dtype, (0, (1 << bits) - 1), measured=Measured())
        dtype = np.dtype(f"{'i' if grid.signed else 'u'}{grid.allocated // 8}")
        half = 1 << (grid.stored - 1)
        levels = (-half, half - 1) if grid.signed else (0, 2 * half - 1)
        return Header(
            grid.rows, grid.columns, 1, dtype, levels, measured=Measured(invalid=self._padding(levels, padding))
        )

    def _palette_bits(self) -> int:
        """Bits of a colour; 8 also for tables of 16 bits whose lower half says nothing."""
        with discreet(self.path, "its palette is damaged"):
            if int(self.dataset.RedPaletteColorLookupTableDescriptor[2]) <= 8:
                return 8
            tables = [self.dataset.get(f"{colour}PaletteColorLookupTableData") for colour in ("Red", "Green", "Blue")]
            return 8 if all(table and not any(table[::2]) for table in tables) else 16

    def _padding(self, levels: tuple[float, float], padding: float | None) -> tuple[float, float] | None:
        with discreet(self.path, "its padding value is damaged"):
            first = self.dataset.get("PixelPaddingValue", padding)
            if first is None:
                return None
            second = self.dataset.get("PixelPaddingRangeLimit", first)
            ends = [float(each) for each in (first, second)]
            # Some writers state signed values as unsigned ones.
            ends = [end - 65536 if end > levels[1] and levels[0] < 0 else end for end in ends]
            return min(ends), max(ends)

    def rescaling(self, frame: int) -> tuple[float, float]:
        """The slope and the intercept of a frame; (1, 0) if values are not rescaled, or by a table."""
        with discreet(self.path, "its rescaling is damaged"):
            for place in self._functional_groups(frame):
                found = (place.get("PixelValueTransformationSequence") or [place])[0]
                if "RescaleSlope" in found:
                    slope = float(found.RescaleSlope)
                    return (slope, float(found.get("RescaleIntercept", 0))) if slope else (1.0, 0.0)
        return 1.0, 0.0

    def window(self, frame: int) -> tuple[float, float] | None:
        """The centre and the width of the first window of a frame, in rescaled values."""
        with discreet(self.path, "its window is damaged"):
            for place in self._functional_groups(frame):
                found = (place.get("FrameVOILUTSequence") or [place])[0]
                if found.get("WindowCenter") is not None and found.get("WindowWidth") is not None:
                    centre, width = (
                        float(part[0] if hasattr(part, "__len__") else part)
                        for part in (found.WindowCenter, found.WindowWidth)
                    )
                    return (centre, width) if width >= 1 else None
        return None

    def spacing(self, frame: int) -> float | None:
        """The distance of columns in millimetres, if it is stated."""
        with discreet(self.path, "its spacing is damaged"):
            for place in self._functional_groups(frame):
                found = (place.get("PixelMeasuresSequence") or [place])[0]
                if found.get("PixelSpacing"):
                    return abs(float(found.PixelSpacing[1])) or None
        return None

    def _functional_groups(self, frame: int) -> list[Dataset]:
        groups = self.dataset.get("PerFrameFunctionalGroupsSequence") or ()
        shared = self.dataset.get("SharedFunctionalGroupsSequence") or ()
        return [*groups[frame : frame + 1], *shared[:1], self.dataset]

    @property
    def unit(self) -> str:
        """The unit of rescaled values, or ""."""
        unit = str(self.dataset.get("RescaleType", "HU" if self.dataset.get("Modality") == "CT" else ""))
        return unit if unit in _UNITS else ""

    def __iter__(self) -> Iterator[Pixels]:
        """The frames (h, w, channels) as stored: sign and unused bits in order, palettes and YCbCr as RGB.

        Raises:
            DamagedFile: If the pixels are damaged or cut short.
            MissingDependency: If their codec is not installed.
        """
        header = self.image_header()
        count = 0
        frames = self._decoded()
        while True:
            with discreet(self.path, "its pixels are damaged or cut short"):
                array = next(frames, None)
                if array is None:
                    break
                if self.palette:
                    array = load_pydicom().pixels.apply_color_lut(array, self.dataset)
                    array = array >> 8 if array.dtype.itemsize > header.dtype.itemsize else array
                pixels = np.asarray(array).reshape(header.shape)
                pixels = pixels if header.channels == 3 else self._in_order(pixels)
                pixels = pixels.astype(header.dtype, copy=False)
            count += 1
            yield pixels
        if count != self.frames:
            raise DamagedFile(f"{self.path}: {count} of {self.frames} frames are there")

    def _decoded(self) -> Iterator[Any]:
        pydicom = load_pydicom()
        with discreet(self.path, "its pixels are damaged or cut short"):
            dataset = pydicom.dcmread(self.path, force=True)
            if "PixelData" not in dataset:
                raise UnsupportedFormat(f"{self.path} holds no pixels of integers")
            if not getattr(dataset, "file_meta", None) or "TransferSyntaxUID" not in dataset.file_meta:
                # Without a statement, it is what the elements themselves were read as.
                implicit, little = dataset.original_encoding
                little_endian = pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
                dataset.file_meta = pydicom.dataset.FileMetaDataset()
                dataset.file_meta.TransferSyntaxUID = little_endian if little else pydicom.uid.ExplicitVRBigEndian
            syntax = dataset.file_meta.TransferSyntaxUID
            if syntax == _EXTENDED_JPEG and self.grid.stored > 8:
                raise UnsupportedFormat(f"{self.path} is compressed by JPEG of 12 bits: decompress it first")
            if syntax.is_compressed and syntax.is_encapsulated and not pydicom.pixels.get_decoder(syntax).is_available:
                raise MissingDependency(
                    f"{self.path} is compressed by {syntax.name}: pip install 'hyperacuity[dicom-codecs]'"
                )
            if not syntax.is_encapsulated:
                expected = (
                    self.grid.rows * self.grid.columns * self.grid.samples * self.grid.allocated // 8 * self.frames
                )
                if self.grid.photometric == "YBR_FULL_422":
                    expected = expected * 2 // 3
                if len(dataset.PixelData) < expected:
                    raise DamagedFile(f"{self.path} is truncated: its pixels are cut short")
        if not syntax.is_encapsulated:
            return iter(pydicom.pixels.iter_pixels(dataset))
        # One by one: the iterator of pydicom 3.0 fails where JPEG 2000 states another sign than the elements do.
        return (self._decompressed(dataset, frame) for frame in range(self.frames))

    def _decompressed(self, dataset: Dataset, frame: int) -> Any:
        """One frame, by pydicom or Pillow where they can, else by gdcm."""
        pixels = load_pydicom().pixels
        plugins = pixels.get_decoder(dataset.file_meta.TransferSyntaxUID).available_plugins
        others = [name for name in plugins if name != PLUGIN]
        if others:
            try:
                return pixels.pixel_array(dataset, index=frame, decoding_plugin=others[0])
            except Exception:
                if len(others) == len(plugins):
                    raise
        return DECODER.decode(self.path, frame)

    def _in_order(self, pixels: Pixels) -> Pixels:
        """Unused high bits, which may hold overlays, become copies of the sign, or 0."""
        grid = self.grid
        unused = grid.allocated - grid.stored
        if not unused:
            return pixels
        plain = pixels.astype(f"{'i' if grid.signed else 'u'}{grid.allocated // 8}", copy=False)
        return (plain << unused) >> unused
