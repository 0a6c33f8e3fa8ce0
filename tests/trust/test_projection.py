"""The projection against the dense pseudo-inverse of the reference resampler."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.resize import Taps, taps
from hyperacuity.trust import axis_projection

AXES = [(50, 100), (60, 180), (64, 256), (333, 500), (100, 270), (200, 201), (7, 28), (5, 13), (1, 4), (1, 1), (40, 40)]


def matrix(table: Taps, samples: int) -> NDArray[np.float64]:
    dense = np.zeros((len(table), samples))
    np.add.at(dense, (np.arange(len(table))[:, None], table.index), table.weights)
    return dense


@pytest.mark.parametrize(("source", "target"), AXES)
def test_the_factors_make_the_pseudo_inverse(source: int, target: int) -> None:
    axis = axis_projection(source, target)
    made = matrix(axis.adjoint, source) @ matrix(axis.inverse, source)
    assert np.abs(made - np.linalg.pinv(matrix(taps(target, source), target))).max() < 1e-5


@pytest.mark.parametrize(("source", "target"), AXES)
@pytest.mark.parametrize("damping", [0.01, 0.3, 1.0])
def test_damping_adds_to_the_diagonal(source: int, target: int, damping: float) -> None:
    axis = axis_projection(source, target, damping)
    reduction = matrix(taps(target, source), target)
    gram = reduction @ reduction.T + damping * source / target * np.eye(source)
    made = matrix(axis.adjoint, source) @ matrix(axis.inverse, source)
    assert np.abs(made - reduction.T @ np.linalg.inv(gram)).max() < 1e-5


def test_the_largest_eigenvalue_is_what_damping_is_relative_to() -> None:
    reduction = matrix(taps(240, 80), 240)
    assert np.linalg.eigvalsh(reduction @ reduction.T).max() == pytest.approx(1 / 3, rel=0.02)


@pytest.mark.parametrize(("source", "target"), [(1000, 2000), (1000, 3700), (900, 1000)])
def test_the_reach_is_short_on_long_axes(source: int, target: int) -> None:
    axis = axis_projection(source, target)
    assert axis.inverse.index.shape[1] <= 2 * 52 + 1
    assert axis.adjoint.index.shape[1] <= 8


def test_an_axis_that_shrinks_is_refused() -> None:
    with pytest.raises(UsageError, match="a result of 9 pixels"):
        axis_projection(10, 9)
    with pytest.raises(UsageError, match="damping"):
        axis_projection(10, 20, 1.5)
