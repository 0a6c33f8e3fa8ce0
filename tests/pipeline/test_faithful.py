"""Results whose reduction equals the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity.image import Image, Strips
from hyperacuity.pipeline import Pipeline
from hyperacuity.resize import resize

rng = np.random.default_rng(7)


@pytest.mark.parametrize("size", [(24, 32), (31, 45), (33, 81), (13, 40)])
def test_floats_reduce_to_the_input(size: tuple[int, int]) -> None:
    source = rng.random((12, 16, 3), np.float32)
    height, width = max(12, size[0]), max(16, size[1])
    result = Pipeline([], "lanczos", damping=0.0).stream(Image.from_pixels(source), height, width).gather().pixels
    assert np.abs(resize(result, size=(12, 16)) - source).max() < 1e-5


def test_the_correction_is_the_dense_solution() -> None:
    source = rng.random((9, 14), np.float32)
    plain = Pipeline([], "bicubic").stream(Image.from_pixels(source), 27, 42).gather().pixels[..., 0].astype(np.float64)
    made = Pipeline([], "bicubic", damping=0.0).stream(Image.from_pixels(source), 27, 42).gather().pixels[..., 0]
    reduce = np.array([resize(each.reshape(27, 42), size=(9, 14)).ravel() for each in np.eye(27 * 42)]).T
    wanted = plain.ravel() + np.linalg.pinv(reduce) @ (source.ravel() - reduce @ plain.ravel())
    assert np.abs(made.ravel() - wanted).max() < 1e-5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_reduce_to_the_input_within_rounding(dtype: type) -> None:
    # Smooth and away from the ends of the range, so that nothing is clipped.
    ramp = np.add.outer(np.sin(np.arange(40) / 5), np.cos(np.arange(50) / 4))
    white = np.iinfo(dtype).max
    source: NDArray[Any] = np.repeat(((ramp + 4) / 8 * white)[..., None], 3, 2).astype(dtype)
    result = Pipeline([], "area", damping=0.0).stream(Image.from_pixels(source), 80, 100).gather().pixels
    error = resize(result.astype(np.float64), size=(40, 50)) - source
    assert np.abs(error).max() < 1


def test_alpha_stays_as_it_is() -> None:
    source = rng.integers(1, 255, (20, 20, 4)).astype(np.uint8)
    plain = Pipeline([], "bicubic").stream(Image.from_pixels(source, alpha=True), 40, 40).gather().pixels
    made = Pipeline([], "bicubic", damping=0.0).stream(Image.from_pixels(source, alpha=True), 40, 40).gather().pixels
    assert (plain[..., 3] == made[..., 3]).all()
    assert (plain[..., :3] != made[..., :3]).any()


def test_a_damped_correction_lies_between_none_and_all() -> None:
    source = rng.random((30, 30), np.float32)

    def error(damping: float | None) -> float:
        result = Pipeline([], "area", damping=damping).stream(Image.from_pixels(source), 60, 60).gather().pixels
        return float(np.square(resize(result, size=(30, 30))[..., 0] - source).mean())

    assert error(0.0) < error(0.1) < error(1.0) < error(None)


def test_rows_that_are_held_do_not_grow_with_the_height() -> None:
    source = rng.integers(0, 255, (4000, 1000, 1)).astype(np.uint8)
    seen = 0

    def rows() -> Iterator[NDArray[np.uint8]]:
        nonlocal seen
        for row in source:
            seen += 1
            yield row[None]

    header = Image.from_pixels(source).header
    strips = Pipeline([], "bicubic", damping=0.0).stream(Strips(header, rows()), 8000, 2000)
    assert len(next(iter(strips.rows)))
    assert seen < 2000


def test_a_smaller_result_is_not_corrected() -> None:
    source = rng.random((20, 20), np.float32)
    plain = Pipeline([], "bicubic").stream(Image.from_pixels(source), 10, 40).gather().pixels
    made = Pipeline([], "bicubic", damping=0.0).stream(Image.from_pixels(source), 10, 40).gather().pixels
    assert (plain == made).all()
