"""The conventions of papers: a named protocol for each; the classic protocol is defined only here.

A figure is meaningless without its protocol: luma or RGB, which luma, how the LR was made, how much border was cut.
Each protocol has a name and a statement that is printed below every table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour
from hyperacuity.errors import UsageError, nearest
from hyperacuity.resize import round_to

Image8 = NDArray[np.uint8]


@dataclass(frozen=True)
class ComparisonProtocol:
    """One convention of a comparison.

    Attributes:
        name: What users write.
        statement: The convention in one sentence, for tables.
        view: Converts an image (H, W, C) uint8 to the input of metrics: (H, W) or (H, W, C) on 0..255.
        exact_luma: Whether networks on luma and resamplers get LR luma that was never rounded, and are compared on
            their 8-bit luma itself.
    """

    name: str
    statement: str
    view: Callable[[Image8], NDArray[Any]]
    exact_luma: bool = False


def _full_range_luma(image: Image8) -> Image8:
    """Returns 8-bit luma on 0..255, (H, W)."""
    if image.shape[-1] == 1:
        return image[..., 0]
    return round_to(image @ np.array([0.299, 0.587, 0.114]), np.dtype(np.uint8))


def _unrounded_luma(image: Image8) -> NDArray[np.float64]:
    """Returns luma in studio range on 0..255, (H, W), of an RGB image or of a grey one that is seen as RGB."""
    rgb = np.broadcast_to(image, (*image.shape[:2], 3))
    return colour.luma(rgb.astype(np.float64) / 255) * 255


CLASSIC = ComparisonProtocol(
    "classic",
    "luma of BT.601 in studio range; networks on luma and resamplers get the LR luma in double precision and are "
    "compared on 8-bit luma, where a grey image is luma itself; networks on RGB get the 8-bit LR image and are "
    "compared on the unrounded luma of their 8-bit result, where a grey image is RGB",
    _unrounded_luma,
    exact_luma=True,
)

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        CLASSIC,
        ComparisonProtocol("rgb", "RGB, one mean squared error over all channels", lambda image: image),
        ComparisonProtocol(
            "full-range-y", "8-bit luma 0.299 R + 0.587 G + 0.114 B (1.3 dB below classic)", _full_range_luma
        ),
    )
}


def find_protocol(name: str) -> ComparisonProtocol:
    """Returns the protocol called `name`.

    Raises:
        UsageError: If there is none; the message names the most similar one.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}{nearest(name, PROTOCOLS)}")
    return PROTOCOLS[name]
