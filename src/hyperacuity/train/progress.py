"""What a training tells of itself after each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Progress:
    """Where a training stands after a step; a step that is not above the last one told was rewound to.

    losses: each weighted term by name, averaged since they were last told, empty in between. rate: of learning.
    waiting: the part of the time since the start in which no data was there. validation: mean PSNR in dB, when it was
    just measured; best: the highest so far. samples: pictures (H, W, C) by name, beside a validation.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    rate: float
    waiting: float
    validation: float | None
    best: float
    samples: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict[str, Any])
