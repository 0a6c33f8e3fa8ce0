"""Quantiles are those of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity.quantiles import median, quantiles


@pytest.mark.parametrize("count", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_quantiles_are_those_of_numpy(count: int, dtype: Any) -> None:
    values: NDArray[Any] = (np.random.default_rng(count).random(count) * 1000).astype(dtype)
    shares = [0, 0.01, 0.2, 0.5, 0.9, 1]
    np.testing.assert_allclose(quantiles(values, shares), np.quantile(values, shares), rtol=1e-6)
    assert median(values) == pytest.approx(np.median(values))
