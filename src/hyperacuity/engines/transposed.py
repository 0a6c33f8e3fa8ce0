"""A transposed convolution that enlarges, as a convolution and a pixel shuffle: the same sums.

It takes half the time in OpenVINO, and ncnn needs too much memory for the other form.

Shi et al., "Is the deconvolution layer the same as a convolutional layer?", arXiv 1609.07009.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shuffled_convolution(
    weight: NDArray[np.float32], scale: int, before: int, extra: int
) -> tuple[NDArray[np.float32], int, int] | None:
    """Turn the kernel of a transposed convolution into that of a convolution before a pixel shuffle.

    Args:
        weight: (inputs, outputs, K, K).
        scale: The stride of the transposed convolution.
        before: What it cuts off at the beginning of each axis, and at the end, less `extra`.
        extra: Its output padding.

    Returns:
        The kernel (outputs * scale^2, inputs, k, k), and the padding before and after each axis; None if the result of
        the transposed convolution is not `scale` times as large as its input.
    """
    inputs, outputs, size, _ = weight.shape
    if size - 2 * before + extra != scale:
        return None
    # Output pixel scale * j + a reads the input at j - m through the kernel's sample scale * m + a + before.
    least, most = -((scale - 1 + before) // scale), (size - 1 - before) // scale
    kernel = np.zeros((outputs, scale, scale, inputs, most - least + 1, most - least + 1), np.float32)
    for m in range(least, most + 1):
        for n in range(least, most + 1):
            for a in range(scale):
                for b in range(scale):
                    row, column = scale * m + a + before, scale * n + b + before
                    if 0 <= row < size and 0 <= column < size:
                        kernel[:, a, b, :, most - m, most - n] = weight[:, :, row, column].T
    return kernel.reshape(outputs * scale**2, inputs, *kernel.shape[-2:]), most, -least
