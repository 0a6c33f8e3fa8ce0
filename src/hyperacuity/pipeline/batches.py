"""Between the planes of an image and what a network reads and returns.

A network reads one channel (luma, or grey) or three (R, G, B). Alpha is a second image in its batch, and so is each
further band of a measured image.
"""

from __future__ import annotations

import numpy as np

from hyperacuity import colour
from hyperacuity.pipeline.planes import Planes, PlaneSlices


def to_batch(planes: Planes, names: PlaneSlices, channels: int) -> Planes:
    """Planes (C, h, W) as a batch (N, channels, h, W): the image, then its alpha."""
    colours, alpha = planes[names.colour], planes[names.alpha]
    if channels == 1:
        image = colour.to_studio(colours) if names.grey else colour.luma(colours, axis=0)[None]
        if names.has_alpha:
            image = np.concatenate([image, colour.to_studio(alpha)])
        return image[:, None]
    if names.bands:
        return np.broadcast_to(colours[:, None], (len(colours), 3, *colours.shape[1:]))
    image = np.broadcast_to(colours, (3, *planes.shape[1:]))[None]
    return np.concatenate([image, *(np.broadcast_to(plane, image.shape) for plane in alpha)])


def from_batch(batch: Planes, names: PlaneSlices, channels: int) -> Planes:
    """The inverse of `to_batch`, for all images but colour images through a network on luma."""
    if channels == 1:
        return colour.from_studio(batch[:, 0])
    greys: Planes = (batch if names.grey else batch[1:]).mean(axis=1)  # a grey image, alpha
    return greys if names.grey else np.concatenate([batch[0], greys])


def join_chroma(chroma: Planes, batch: Planes) -> Planes:
    """R, G, B, and alpha if the batch has it, of colour differences and what a network on luma returned.

    Overwrites `chroma`.
    """
    rgb = colour.joined(batch[0, 0], chroma)
    return rgb if len(batch) == 1 else np.concatenate([rgb, colour.from_studio(batch[1:, 0])])
