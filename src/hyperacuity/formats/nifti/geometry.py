"""Where the grid of a volume lies, and where an enlarged one does: the outer edges of the extent stay in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Slices lie across the third axis of a volume if it is this much coarser than the two finest ones.
_COARSER = 1.2
# The names of planes, by their axes in the file.
PLANES = {"xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}


def find_plane(spacing: Sequence[float], shape: Sequence[int]) -> tuple[int, int]:
    """Return the two axes of a volume that lie in the plane of its slices.

    Args:
        spacing: The distance of voxels along each of the three axes.
        shape: Voxels along each of them.

    Example:
        >>> find_plane((3.0, 1.0, 1.0), (20, 256, 256))
        (1, 2)
        >>> find_plane((1.0, 1.0, 1.0), (99, 99, 99))
        (0, 1)
    """
    steps = [abs(step) or 1.0 for step in spacing[:3]]
    if min(shape[:3]) == 1:  # one slice
        flat = max(axis for axis in range(3) if shape[axis] == 1)
        first, second = (axis for axis in range(3) if axis != flat)
        return first, second
    order = sorted(range(3), key=lambda axis: steps[axis])
    if steps[order[2]] > _COARSER * steps[order[1]]:
        first, second = sorted(order[:2])
        return first, second
    return 0, 1


def enlarge_affine(affine: NDArray[np.float64], factors: Sequence[float]) -> NDArray[np.float64]:
    """Return the affine of a grid with the same outer edges.

    Args:
        affine: (4, 4), from the centres of voxels to millimetres.
        factors: The size of a new voxel in old ones, along each axis.

    Example:
        >>> enlarge_affine(np.diag([2.0, 2, 5, 1]), (0.5, 0.5, 1)).tolist()
        [[1.0, 0.0, 0.0, -0.5], [0.0, 1.0, 0.0, -0.5], [0.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    scale = np.asarray(factors, np.float64)
    result = affine.astype(np.float64)
    result[:3, :3] = affine[:3, :3] * scale
    result[:3, 3] = affine[:3, 3] + affine[:3, :3] @ ((scale - 1) / 2)
    return result


def find_place_faults(header: Any) -> list[str]:
    """Return what is wrong with the affines of a volume, in words.

    Args:
        header: nibabel's header.
    """
    sform, qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    if not sform and not qform:
        return ["neither qform nor sform states where its voxels lie"]
    faults = []
    if sform and not _is_invertible(header.get_sform()):
        faults.append("the sform is singular or not finite")
    if qform and _read_qform(header) is None:
        faults.append("the qform is impossible")
    return faults


def _is_invertible(affine: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(affine).all()) and int(np.linalg.matrix_rank(affine[:3, :3])) == 3


def _read_qform(header: Any) -> NDArray[np.float64] | None:
    """The qform; None if its quaternion, its offsets or its spacings cannot be."""
    try:
        with np.errstate(invalid="ignore"):
            affine: NDArray[np.float64] = header.get_qform()
    except ValueError:
        return None
    return affine if _is_invertible(affine) else None


def enlarge_header(header: Any, plane: tuple[int, int], size: tuple[int, int], depth: int) -> Any:
    """Return a copy of nibabel's header for slices of another size.

    Args:
        header: Of the source.
        plane: The axes of the slices: columns, rows.
        size: (height, width) of the enlarged slices.
        depth: How many there are in a volume.
    """
    result = header.copy()
    shape = list(header.get_data_shape())
    sides = len(shape)
    shape += [1] * (3 - sides)
    factors = [1.0, 1.0, 1.0]
    across = next(axis for axis in range(3) if axis not in plane)
    for axis, side in ((plane[0], size[1]), (plane[1], size[0]), (across, depth)):
        factors[axis] = shape[axis] / side
        shape[axis] = side
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    result.set_data_shape(shape[:sides])
    spacing = header["pixdim"].astype(np.float64)
    placed = _read_qform(header) if qform > 0 else None
    if placed is not None:
        result.set_qform(enlarge_affine(placed, factors), qform)
    if sform > 0:
        result.set_sform(enlarge_affine(header.get_sform(), factors), sform)
    # Setting a qform has rounded the spacings, and made negative ones positive.
    spacing[1:4] *= factors
    result["pixdim"] = spacing
    if qform > 0:
        result["pixdim"][0] = header["pixdim"][0]
    return result


def forget_times(header: Any) -> bool:
    """Remove when each slice was measured, which says nothing about slices between them. Returns whether it was stated.

    Args:
        header: nibabel's header, changed in place.
    """
    names = ("slice_start", "slice_end", "slice_code", "slice_duration")
    stated = any(header[name] for name in ("slice_code", "slice_duration"))
    for name in names:
        header[name] = 0
    return stated
