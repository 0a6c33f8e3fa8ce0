"""Enlarges a medical image of any format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.formats.nifti import accepts as is_nifti
from hyperacuity.medical.nifti import upscale_volume
from hyperacuity.medical.series import check_target, upscale_series
from hyperacuity.size import Size
from hyperacuity.storage import may_write
from hyperacuity.task import MeasurementOptions, Outcome, Progress, Stop
from hyperacuity.upscaler import Upscaler
from hyperacuity.zoo import refuse_generative


def upscale(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    size: Size,
    options: MeasurementOptions | None = None,
    *,
    force: bool = False,
    observe: Callable[[Progress], None] = lambda progress: None,
    stop: Stop | None = None,
) -> Outcome:
    """Enlarge a medical image in the plane of its slices, into one of the same format.

    The outer edges of its extent stay in place. Type, orientation, scaling of values and pixels without a measurement
    stay. All slices of a series or a volume have one range.

    Args:
        upscaler: The model.
        source: A file of DICOM or NIfTI, or a folder of DICOM files.
        target: A file of the same format, or for a folder a folder, which appears whole or not at all.
        size: The size of the slices of the result.
        options: How they are enlarged and written.
        force: Overwrite a target that exists.
        observe: Called after each slice.
        stop: Checked before each slice.

    Returns:
        The outcome, with the consistency of the result with its source.

    Raises:
        MissingDependency: If pydicom or nibabel is not installed, or the codec of a DICOM file is not.
        UsageError: If the request cannot be met, the model invents detail, or no pixel is valid.
        UnsupportedFormat, DamagedFile: If the source cannot be read.
        Stopped: `stop` was set; no result is left.
    """
    options, stop = options or MeasurementOptions(), stop or Stop()
    if source.is_dir():
        check_target(target, source, force=force)
    else:
        may_write(target, source, force=force)
    refuse_generative(upscaler.family[0].card, "medical images", allowed=options.allow_generative)
    if source.is_file() and is_nifti(source):
        return upscale_volume(upscaler, source, target, size, options, observe, stop)
    if options.through_plane != 1:
        raise UsageError(
            f"{source} is DICOM, whose slices have gaps and positions of their own: slices between them need "
            "contiguous ones in a NIfTI volume (dcm2niix converts)",
            Use(through_plane=LEAVE_OUT),
        )
    return upscale_series(upscaler, source, target, size, options, observe, stop)
