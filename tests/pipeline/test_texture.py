"""The limit on texture: planes stay planes, edges stay as the network made them, cuts do not show."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import load
from hyperacuity.image import Image, Measured
from hyperacuity.pipeline.texture import TextureLimit, extended


def split(planes: NDArray[Any], rows: int) -> list[NDArray[Any]]:
    return [planes[:, top : top + rows] for top in range(0, planes.shape[1], rows)]


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_an_image_goes_on_by_reflection_in_its_last_value(height: int, rows: int) -> None:
    planes = np.random.default_rng(0).random((2, height, 6))
    result = np.concatenate(list(extended(split(planes, rows))), axis=1)
    expected = np.pad(planes, ((0, 0), (3, 3), (3, 3)), "reflect", reflect_type="odd")
    np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize("scale", [2, 2.7])
@pytest.mark.parametrize("model", ["acute-10k", "lanczos"])
def test_planes_stay_planes_up_to_the_border(scale: float, model: str) -> None:
    y, x = np.mgrid[:23, :31]
    image = Image.from_pixels((3 * x - 2 * y).astype(np.float32), measured=Measured())
    result = load(model).stream(image, scale).gather().pixels[..., 0]
    height, width = result.shape
    y, x = (np.mgrid[:height, :width] + 0.5) * np.array([23 / height, 31 / width])[:, None, None] - 0.5
    np.testing.assert_allclose(result, 3 * x - 2 * y, atol=1e-3)


def test_what_a_network_makes_of_structures_is_not_changed() -> None:
    random = np.random.default_rng(1)
    planes = random.random((1, 20, 24), np.float32)
    made = np.clip(random.random((1, 40, 48), np.float32) * 0.2 + planes.repeat(2, 1).repeat(2, 2), 0, 1)
    with ThreadPoolExecutor(1) as pool:
        limit = TextureLimit([planes], (20, 24), (40, 48), pool)
        result = limit.limited(made, 0, limit.read(0, 40))
    np.testing.assert_allclose(result, made, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_cuts_into_blocks_do_not_show(rows: int) -> None:
    random = np.random.default_rng(2)
    planes = random.random((2, 20, 24), np.float32).round(1)
    made = random.random((2, 30, 48), np.float32)
    with ThreadPoolExecutor(2) as pool:
        whole = TextureLimit([planes], (20, 24), (30, 48), pool)
        expected = whole.limited(made, 0, whole.read(0, 30))
        cut = TextureLimit(split(planes, rows), (20, 24), (30, 48), pool)
        parts = [cut.limited(made[:, top : top + 4], top, cut.read(top, min(30, top + 4))) for top in range(0, 30, 4)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)
