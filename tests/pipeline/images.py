"""Images of noise, and the pipeline on them with one network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline, Stage
from tests.engines import Blur


def noisy_image(height: int, width: int, channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> Image:
    """Noise around mid grey: every pixel counts, and no mean is near black."""
    random = np.random.default_rng(seed)
    values = random.random((height, width, channels)) * 0.5 + 0.25
    pixels = values.astype(np.float32) if dtype == np.float32 else (values * np.iinfo(dtype).max).astype(dtype)
    return Image.from_pixels(pixels, alpha=channels in (2, 4))


def enlarged(image: Image, engine: Blur, size: tuple[int, int] | None = None, **options: Any) -> NDArray[Any]:
    height, width = size or (image.header.height * engine.scale, image.header.width * engine.scale)
    return Pipeline([Stage(engine, "blur")], **options).stream(image, height, width).gather().pixels
