"""Hallucination, omission and improvement."""

from __future__ import annotations

import numpy as np
import pytest

from hyperacuity import metrics
from hyperacuity.resize import resize


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (48, 64)).astype(np.float32)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_bicubic_image_omits_everything_and_the_truth_improves_everything(truth: np.ndarray, scale: int) -> None:
    lr = resize(truth, size=(48 // scale, 64 // scale))
    plain = resize(lr, size=(48, 64))
    assert metrics.invention(plain, truth, lr) == (0, 1, 0)
    assert metrics.invention(truth, truth, lr) == (0, 0, 1)


def test_other_detail_of_the_same_strength_is_a_hallucination(truth: np.ndarray) -> None:
    lr = resize(truth, size=(12, 16))
    plain = resize(lr, size=(48, 64))
    other = plain + np.random.default_rng(1).normal(0, 120, truth.shape).astype(np.float32)
    halfway = (plain + truth) / 2
    invented = metrics.invention(other, truth, lr).hallucination
    assert invented > 0.5
    assert metrics.invention(halfway, truth, lr).hallucination < 0.05


def test_detail_displaced_by_a_pixel_of_the_result_is_true(truth: np.ndarray) -> None:
    lr = resize(truth, size=(12, 16))
    displaced = np.roll(truth, 2, 1)
    shares = metrics.invention(displaced, truth, lr)
    assert shares.improvement > 0.85


def test_shares_sum_to_one_in_colour_and_are_nan_without_detail(truth: np.ndarray) -> None:
    colour = np.stack([truth, truth[::-1], truth], -1)
    lr = resize(colour, size=(24, 32))
    noisy = colour + np.random.default_rng(1).normal(0, 30, colour.shape)
    assert sum(metrics.invention(noisy, colour, lr)) == pytest.approx(1)
    flat = np.full((8, 8), 9.0)
    assert np.isnan(metrics.invention(flat, flat, np.full((4, 4), 9.0))).all()
