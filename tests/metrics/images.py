"""Images that the tests of metrics compare."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def noisy_and_true(*shape: int) -> tuple[Array, Array]:
    """Returns a noisy copy of noise on 0..255, and the noise itself."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 256, shape)
    return np.clip(truth + random.normal(0, 20, shape), 0, 255).round(), truth
