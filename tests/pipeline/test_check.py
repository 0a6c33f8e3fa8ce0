"""Whether a result is credible."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import engines, zoo
from hyperacuity.errors import BadOutput
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline, Stage
from tests.engines import Blur
from tests.pipeline.images import enlarged, noisy_image


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_an_invalid_result_in_float32_is_an_error(broken: float) -> None:
    class Nonsense(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            result = super().run(batch)
            result[:, :, -64:, -64:] = broken
            return result

    with pytest.raises(BadOutput, match="an invalid result"):
        enlarged(noisy_image(150, 120), Nonsense())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_black_patch_in_a_bright_image_with_detail_is_found(channels: int) -> None:
    class Patchy(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            result = super().run(batch)
            result[:, :, 64:96, 64:96] = 0  # 16 x 16 pixels of the input
            return result

    y, x = np.mgrid[:100, :100]
    detail = (190 + 60 * np.sin(x / 5) * np.sin(y / 7)).astype(np.uint8)[..., None].repeat(3, axis=2)
    with pytest.raises(BadOutput, match="mean colour"):
        enlarged(Image.from_pixels(detail), Patchy(channels=channels))


def test_infinities_of_both_signs_are_found_without_other_warnings() -> None:
    class Overflowing(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            result = super().run(batch)
            result[..., ::2], result[..., 1::2] = np.inf, -np.inf
            return result

    with pytest.raises(BadOutput, match="NaN or Inf"):
        enlarged(noisy_image(20, 20), Overflowing())


@pytest.mark.parametrize(
    ("size", "tile"),
    [
        ((1, 1), 0),
        ((1, 40), 16),
        ((5, 7), 1),
        ((9, 9), 1),
        ((13, 13), 0),
        ((31, 40), 16),
        ((70, 64), 0),
        ((70, 64), 16),
    ],
)
def test_the_default_model_passes_the_check_on_every_image(size: tuple[int, int], tile: int) -> None:
    """Content that is hard for a network must still pass: noise, dither, lines, dots, text."""
    stage = Stage(engines.open(zoo.find_models("fsrcnn-x2")[0], engine="onnxruntime"), "fsrcnn-x2")
    random = np.random.default_rng(0).random(size)
    y, x = np.mgrid[: size[0], : size[1]]
    whites = [y >= 0, y < 0, (y + x) % 2, y % 2, x % 2, x % 7 == 0, x % 7 > 0, x > size[1] // 2]
    whites += [(y // 2 + x // 2) % 2, (y % 2) * (x % 2), random < 0.02, random < 0.5, random > 0.98, random]
    for white in whites:
        image = Image.from_pixels((np.asarray(white, np.float64) * 255).astype(np.uint8))
        Pipeline([stage], tile=tile).stream(image, size[0] * 2, size[1] * 2).gather()
