"""Enlarges medical images in the plane of their slices: DICOM files and series, and volumes of NIfTI.

    from hyperacuity import Size, load, medical

    medical.upscale(load("acute-10k"), Path("brain.nii.gz"), Path("brain-x2.nii.gz"), Size(2))

run         any source: `upscale`
nifti       one volume
series      DICOM: one file, or a folder
slices      one slice through the network, and how near the result is to it
through_plane  slices between the slices of a volume, by a cubic spline
padding     padding that a file does not declare
previewing  the middle slice before and after, as an image: `preview`
provenance  how a result was made, as data

Not for diagnosis: nothing is measured between the pixels of the source.
"""

from __future__ import annotations

from hyperacuity.medical.previewing import preview
from hyperacuity.medical.run import upscale

__all__ = ["preview", "upscale"]
