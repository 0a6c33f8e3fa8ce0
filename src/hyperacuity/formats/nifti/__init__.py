"""NIfTI: volumes of MRI and other scanners, in one file or in a pair, read forwards, slice by slice.

    recognition   which files are NIfTI, by their first bytes: `accepts`
    geometry      which axes lie in the plane of the slices, and where an enlarged grid lies: `enlarge_header`
    extensions    blocks between the header and the values
    source        slices of a file: `NiftiSource`
    sink          a file of enlarged slices: `NiftiSink`

Stored values are computed, so the slope and the intercept of the header stay. Needs nibabel, an extra.
"""

from __future__ import annotations

from hyperacuity.formats.nifti.recognition import accepts

__all__ = ["accepts"]
