"""How an enlarged file was made: new identifiers, descriptions and codes.

Source: DICOM PS3.3, C.7.6.1.1.2 (image type), C.12.4.1.1 (derivation), PS3.16, CID 7202 and 7203 (codes).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime

from hyperacuity.formats.dicom.reading import Dataset, load_pydicom

# The longest a description may be, by its type.
_DESCRIPTION, _SERIES_DESCRIPTION = 1024, 64
# Added to the number of a series, so that the enlarged one follows all others of the study.
_SERIES_NUMBER = 1000


@dataclass(frozen=True)
class Derivation:
    """How files are enlarged.

    Args:
        software: The name and version of the program.
        identity: What else decides the result: weights, settings. Equal ones give equal identifiers.
        label: The scale and the model, for the name of the series.
        text: A description in a sentence, without a value of any element.
        weights: The SHA-256 of the weights.
    """

    software: str
    identity: str
    label: str
    text: str
    weights: str


def derive_uid(source: str, identity: str) -> str:
    """Return a new identifier that is always the same for the same source and settings.

    Example:
        >>> derive_uid("1.2.3", "x2") == derive_uid("1.2.3", "x2")
        True
    """
    digest = hashlib.sha256(f"{source}\0{identity}".encode()).digest()
    # The form of a random UUID, as PS3.5, B.2 wants it.
    number = int.from_bytes(digest[:16], "big") & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
    return f"2.25.{number}"


def describe_derivation(dataset: Dataset, derivation: Derivation) -> None:
    """State in the elements that the pixels are derived, from what and how; in place.

    Args:
        dataset: The elements of the source, changed in place.
        derivation: How the file is made.
    """
    source, evidence = _source_reference(dataset), _evidence(dataset)
    instance, series = str(dataset.get("SOPInstanceUID", "")), str(dataset.get("SeriesInstanceUID", ""))
    dataset.SOPInstanceUID = derive_uid(instance, derivation.identity)
    dataset.SeriesInstanceUID = derive_uid(series, derivation.identity)
    number = dataset.get("SeriesNumber")
    dataset.SeriesNumber = int(number if number is not None else 0) + _SERIES_NUMBER
    old = str(dataset.get("SeriesDescription", "") or "")
    label = f" {derivation.label}" if old else derivation.label
    dataset.SeriesDescription = old[: _SERIES_DESCRIPTION - len(label)] + label
    shared = dataset.get("SharedFunctionalGroupsSequence")
    # Enhanced objects know only PRIMARY, which is about the examination; of others, SECONDARY says that they are made.
    second = "PRIMARY" if shared else "SECONDARY"
    _set_type(dataset, "ImageType", second)
    _append_description(dataset, derivation.text)
    _append(dataset, "DerivationCodeSequence", _code("113085", "Spatial resampling"))
    if shared:
        _describe_frames(dataset, derivation, source, second)
        _append(dataset, "SourceImageEvidenceSequence", evidence)
    else:
        _append(dataset, "SourceImageSequence", source)
    _append(dataset, "ContributingEquipmentSequence", _equipment(derivation))
    _set_times(dataset)


def _describe_frames(dataset: Dataset, derivation: Derivation, source: Dataset, second: str) -> None:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    for group in (shared, *frames):
        for element in list(group):
            if element.VR == "SQ" and element.value and "FrameType" in element.value[0]:
                _set_type(element.value[0], "FrameType", second)
    item = load_pydicom().Dataset()
    item.DerivationDescription = derivation.text[:_DESCRIPTION]
    item.DerivationCodeSequence = [_code("113085", "Spatial resampling")]
    item.SourceImageSequence = [source]
    # A macro is either shared or per frame.
    targets = [frame for frame in frames if "DerivationImageSequence" in frame]
    for group in targets or [shared]:
        _append(group, "DerivationImageSequence", item)


def _set_type(place: Dataset, name: str, second: str) -> None:
    value = place.get(name)
    parts = [] if value is None else [value] if isinstance(value, str) else [str(part) for part in value]
    setattr(place, name, ["DERIVED", second, *parts[2:]])


def _append_description(dataset: Dataset, text: str) -> None:
    """Add a sentence to earlier descriptions, whose beginning is cut if all do not fit."""
    old = str(dataset.get("DerivationDescription", "") or "")
    room = _DESCRIPTION - len(text) - 2
    dataset.DerivationDescription = f"{old[-room:]}; {text}" if old and room > 0 else text[:_DESCRIPTION]


def _source_reference(dataset: Dataset) -> Dataset:
    item = load_pydicom().Dataset()
    item.ReferencedSOPClassUID = dataset.get("SOPClassUID", "")
    item.ReferencedSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    item.PurposeOfReferenceCodeSequence = [_code("121322", "Source image for image processing operation")]
    return item


def _evidence(dataset: Dataset) -> Dataset:
    """The source by its place among studies and series, as enhanced objects state it."""
    pydicom = load_pydicom()
    instance, series, study = (pydicom.Dataset() for _ in range(3))
    instance.ReferencedSOPClassUID = dataset.get("SOPClassUID", "")
    instance.ReferencedSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    series.SeriesInstanceUID = dataset.get("SeriesInstanceUID", "")
    series.ReferencedSOPSequence = [instance]
    study.StudyInstanceUID = dataset.get("StudyInstanceUID", "")
    study.ReferencedSeriesSequence = [series]
    return study


def _equipment(derivation: Derivation) -> Dataset:
    item = load_pydicom().Dataset()
    item.PurposeOfReferenceCodeSequence = [_code("109103", "Modifying Equipment")]
    item.Manufacturer = "Hyperacuity"
    item.ManufacturerModelName = "Hyperacuity"
    item.SoftwareVersions = derivation.software[:64]
    item.ContributionDescription = f"Enlarged in plane; weights {derivation.weights or 'none'}"[:_DESCRIPTION]
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = load_pydicom().Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _append(place: Dataset, name: str, item: Dataset) -> None:
    setattr(place, name, [*(place.get(name) or ()), item])


def _set_times(dataset: Dataset) -> None:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch and epoch.isdecimal() else datetime.now(UTC)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    for name, value in (("ContentDate", dataset.InstanceCreationDate), ("ContentTime", dataset.InstanceCreationTime)):
        if name in dataset:
            setattr(dataset, name, value)
