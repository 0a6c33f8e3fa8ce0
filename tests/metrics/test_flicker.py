from __future__ import annotations

import numpy as np
import pytest

from hyperacuity.metrics import flicker


def test_a_constant_error_does_not_flicker_and_a_changing_one_does() -> None:
    rng = np.random.default_rng(0)
    frames, error = rng.integers(0, 255, (2, 20, 30)), rng.integers(-5, 5, (20, 30))
    steady = flicker(frames[1] + error, frames[0] + error, frames[1], frames[0], border=2)
    changing = flicker(frames[1] + error, frames[0] - error, frames[1], frames[0], border=2)
    assert steady == 0
    assert changing == pytest.approx(np.abs(2 * error)[2:-2, 2:-2].mean())
