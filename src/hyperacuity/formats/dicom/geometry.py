"""Where enlarged pixels lie: the outer edges of the extent stay in place.

Source: DICOM PS3.3, C.7.6.2.1.1 (position of the centre of the first pixel), 10.7.1.3 (spacing of rows, then columns).
"""

from __future__ import annotations

from collections.abc import Sequence

from hyperacuity.formats.dicom.reading import Dataset, load_pydicom

# Distances between the centres of rows and of columns.
_SPACINGS = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "ObjectPixelSpacingInCenterOfBeam",
    "ImagePlanePixelSpacing",
)


def as_decimals(figures: Sequence[float]) -> list[object]:
    """Return numbers as decimal strings, of at most 16 characters each."""
    decimal = load_pydicom().valuerep.DSfloat
    return [decimal(float(figure), auto_format=True) for figure in figures]


def move_position(
    position: Sequence[float], orientation: Sequence[float], spacing: Sequence[float], factors: Sequence[float]
) -> list[float]:
    """Return the centre of the first pixel of the enlarged image.

    Args:
        position: That of the source, in millimetres.
        orientation: The direction of a row, and that of a column.
        spacing: The distance of rows, and that of columns.
        factors: The height and the width of a new pixel in old ones.

    Example:
        >>> move_position((0, 0, 5), (1, 0, 0, 0, 1, 0), (2, 1), (0.5, 0.5))
        [-0.25, -0.5, 5.0]
    """
    down, across = ((factor - 1) * step / 2 for factor, step in zip(factors, spacing, strict=True))
    return [
        float(here + across * row + down * column)
        for here, row, column in zip(position, orientation[:3], orientation[3:], strict=True)
    ]


def enlarge_geometry(dataset: Dataset, factors: tuple[float, float]) -> None:
    """Change spacings and positions, those of frames as well, in place.

    Args:
        dataset: The elements of the file.
        factors: The height and the width of a new pixel in old ones.
    """
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    # Positions first: their formula needs the old spacings.
    _move(dataset, [dataset], factors)
    _move_in_plane(dataset, factors)
    for frame in frames:
        _move_frame(frame, [frame, shared], factors)
    if shared is not None:
        _move_frame(shared, [shared], factors)
    for place in (dataset, shared, *frames):
        if place is not None:
            _scale_spacings(place, factors)
            for measures in place.get("PixelMeasuresSequence") or ():
                _scale_spacings(measures, factors)
    if factors[0] != factors[1] and "PixelAspectRatio" in dataset:
        down, across = (float(part) for part in dataset.PixelAspectRatio)
        ratio = (down * factors[0]) / (across * factors[1])
        dataset.PixelAspectRatio = [round(ratio * 10000), 10000]
    for region in dataset.get("SequenceOfUltrasoundRegions") or ():
        _scale_region(region, factors)


def _move(place: Dataset, sources: Sequence[Dataset | None], factors: tuple[float, float]) -> None:
    """Move the position of the patient that an element of `place` states."""
    values = {
        name: next((each[name].value for each in sources if each is not None and name in each), None)
        for name in ("ImageOrientationPatient", "PixelSpacing")
    }
    orientation, spacing = values["ImageOrientationPatient"], values["PixelSpacing"]
    if place.get("ImagePositionPatient") and orientation and spacing:
        moved = move_position(
            [float(v) for v in place.ImagePositionPatient],
            [float(v) for v in orientation],
            [float(v) for v in spacing],
            factors,
        )
        place.ImagePositionPatient = as_decimals(moved)


def _move_frame(frame: Dataset, groups: Sequence[Dataset | None], factors: tuple[float, float]) -> None:
    found: list[Dataset | None] = []
    for name in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        found += [each[name].value[0] for each in groups if each is not None and each.get(name)]
    for position in frame.get("PlanePositionSequence") or ():
        _move(position, found, factors)


def _move_in_plane(dataset: Dataset, factors: tuple[float, float]) -> None:
    """Move the position of a radiotherapy image, which lies in its own plane: across, then up."""
    if dataset.get("RTImagePosition") and dataset.get("ImagePlanePixelSpacing"):
        across, up = (float(part) for part in dataset.RTImagePosition)
        rows, columns = (float(part) for part in dataset.ImagePlanePixelSpacing)
        moved = across + (factors[1] - 1) * columns / 2, up - (factors[0] - 1) * rows / 2
        dataset.RTImagePosition = as_decimals(moved)


def _scale_spacings(place: Dataset, factors: tuple[float, float]) -> None:
    for name in _SPACINGS:
        if place.get(name):
            old = [float(step) for step in place[name].value]
            setattr(place, name, as_decimals([step * factor for step, factor in zip(old, factors, strict=True)]))


def _scale_region(region: Dataset, factors: tuple[float, float]) -> None:
    """Change a region of an ultrasound image: places in pixels, and the size of a pixel."""
    down, across = factors
    for name, factor, end in (
        ("RegionLocationMinX0", across, 0),
        ("RegionLocationMinY0", down, 0),
        ("RegionLocationMaxX1", across, 1),
        ("RegionLocationMaxY1", down, 1),
    ):
        if name in region:  # the last pixel of a region belongs to it
            setattr(region, name, round((int(region[name].value) + end) / factor) - end)
    for name, factor in (("ReferencePixelX0", across), ("ReferencePixelY0", down)):
        if name in region:
            setattr(region, name, round((int(region[name].value) + 0.5) / factor - 0.5))
    for name, factor in (("PhysicalDeltaX", across), ("PhysicalDeltaY", down)):
        if name in region:
            setattr(region, name, float(region[name].value) * factor)
