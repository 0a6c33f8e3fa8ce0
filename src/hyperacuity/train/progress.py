"""What a run reports after each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run is after a step. A step that is not above the one before it was rewound to.

    Attributes:
        step, steps: Steps taken, and those of the whole run.
        losses: Each weighted term by name, averaged since they were last reported; empty in between.
        rate: The learning rate.
        waiting: The part of the time since the start that was spent waiting for data.
        validation: Mean PSNR in dB if it was just measured, else None.
        best: The highest validation so far.
        samples: Images (H, W, C) by name, if a validation was just measured.
        preparing: What is being done before the first step.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    rate: float
    waiting: float
    validation: float | None
    best: float
    samples: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict[str, Any])
    preparing: str = ""
