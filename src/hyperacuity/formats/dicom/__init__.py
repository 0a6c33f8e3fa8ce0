"""DICOM: files and series of slices, enlarged in their plane.

    recognition  which files are DICOM, by their first bytes: `accepts`, `find_files`
    reading      a file's elements, without a value of them in any message: `read_dataset`
    isolated     decoding by gdcm, in a process of its own
    slices       the pixels of a file, frame by frame, and what is known about them: `DicomImage`
    geometry     where the pixels lie
    elements     all other elements of an enlarged file
    derivation   how it was made: new identifiers, descriptions, codes
    writing      the whole enlarged file: `write_dataset`

Stored values are computed, so rescaling and windows stay. Needs pydicom, an extra.
"""

from __future__ import annotations

from hyperacuity.formats.dicom.recognition import accepts, find_files

__all__ = ["accepts", "find_files"]
