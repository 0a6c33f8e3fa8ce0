"""Enlarge an array: from numpy to numpy, in three ways to give the size.

python examples/enlarge_array.py
"""

from __future__ import annotations

import numpy as np

import hyperacuity


def main() -> None:
    """Enlarge a small test image and print the shapes."""
    rows, columns = np.mgrid[0:48, 0:64]
    image = np.stack([rows * 5, columns * 3, (rows + columns) * 2], axis=-1).astype(np.uint8)  # (48, 64, 3)

    twice = hyperacuity.upscale(image, scale=2)
    wide = hyperacuity.upscale(image, width=200)

    # `load` opens a model once for many images; an `Upscaler` may be shared between threads.
    upscaler = hyperacuity.load("fast")
    grey = upscaler.array(image[..., 0], hyperacuity.Size(scale=3))

    for result in (twice, wide, grey):
        print(result.shape, result.dtype)


if __name__ == "__main__":
    main()
