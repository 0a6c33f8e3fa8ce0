"""Rows of a result that are computed separately: any partition of rows gives the bits of the whole."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import hyperacuity
from hyperacuity.errors import BadOutput, UsageError
from hyperacuity.image import Header, Image, Measured
from hyperacuity.pipeline import Pipeline, Stage, complete_survey
from hyperacuity.size import Size
from tests.engines import Blur
from tests.pipeline.images import noisy_image

LUMA, RGB = Stage(Blur(channels=1), "luma"), Stage(Blur(halo=3), "rgb")
BLOCKS = Stage(Blur(multiple=4, halo=5), "blocks")
FIRST = Stage(Blur(scale=1, halo=1), "first", enlarge=3)
PIPELINES = {
    "bicubic": Pipeline([]),
    "lanczos": Pipeline([], "lanczos"),
    "luma": Pipeline([LUMA]),
    "rgb": Pipeline([RGB]),
    "blocks": Pipeline([BLOCKS]),
    "chain": Pipeline([LUMA, RGB]),
    "enlarged first": Pipeline([FIRST]),
    "tta": Pipeline([RGB], tta=True),
    "tiles": Pipeline([BLOCKS], tile=9),
    "faithful": Pipeline([RGB], damping=0.0),
    "faithful chain": Pipeline([LUMA, BLOCKS], damping=0.3),
    "faithful bicubic": Pipeline([], damping=0.0),
}


def hide(image: Image, seed: int) -> Image:
    """Some pixels become transparent, in a hole that spans several bands of bleeding colours."""
    random = np.random.default_rng(seed)
    top, left = random.integers(0, 30), random.integers(0, 10)
    image.pixels[top : top + 50, left : left + 12, -1] = 0
    return image


class Watched:
    """Counts the rows that are read."""

    def __init__(self, image: Image) -> None:
        self.image, self.rows = image, 0

    @property
    def header(self) -> Header:
        return self.image.header

    def read(self, first: int, last: int) -> Iterable[NDArray[Any]]:
        self.rows += last - first
        return self.image.read(first, last)


def parts(pipeline: Pipeline, image: Image, size: tuple[int, int], edges: list[int]) -> list[NDArray[Any]]:
    found = complete_survey(image.strips())
    return [
        pipeline.stream_rows(image, found, *size, (first, last)).gather().pixels
        for first, last in zip(edges, [*edges[1:], size[0]], strict=True)
    ]


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_partition_gives_the_whole(name: str, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 90), "height"), data.draw(st.integers(1, 40), "width")
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.float32]), "dtype")
    channels, seed = data.draw(st.integers(1, 4), "channels"), data.draw(st.integers(0, 99), "seed")
    image = noisy_image(height, width, channels, dtype, seed)
    if channels in (2, 4):
        image = hide(image, seed)
    if dtype == np.float32 and data.draw(st.booleans(), "beyond the range"):
        image.pixels[seed % height, seed % width, 0] = 40
    scale = data.draw(st.sampled_from([1, 2, 3.5]), "scale")
    size = round(height * scale), round(width * scale)
    edges = [0, *sorted(data.draw(st.sets(st.integers(1, max(1, size[0] - 1)), max_size=4), "edges"))]
    edges = [edge for edge in edges if edge < size[0]]
    pipeline = PIPELINES[name]
    whole = pipeline.stream(image, *size).gather().pixels
    np.testing.assert_array_equal(np.concatenate(parts(pipeline, image, size, edges)), whole)


@functools.cache
def upscaler(model: str, **options: Any) -> hyperacuity.Upscaler:
    return hyperacuity.load(model, **options)


@pytest.mark.parametrize(
    ("model", "scale", "options"),
    [
        ("acute-10k-x2", 2, {}),
        ("acute-10k-x2", 3.5, {}),
        ("fsrcnn-x3", 3, {}),
        ("acute-50k-x2", 4, {"faithful": 1.0}),
        ("acute-10k-x2", 2, {"tta": True}),
        ("photo-x4", 4, {}),
    ],
)
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint16, 4), (np.float32, 1)])
def test_real_models_give_the_bits_of_the_whole(
    model: str, scale: float, options: dict[str, Any], dtype: Any, channels: int
) -> None:
    image = noisy_image(97, 61, channels, dtype)
    if channels == 4:
        image = hide(image, 5)
    size = Size(scale).resolve(97, 61)
    pipeline = upscaler(model, **options).pipeline((97, 61), size)
    whole = pipeline.stream(image, *size).gather().pixels
    edges = [0, size[0] // 5, size[0] // 2 + 1, size[0] - 7]
    np.testing.assert_array_equal(np.concatenate(parts(pipeline, image, size, edges)), whole)


def test_only_the_necessary_rows_are_read() -> None:
    image = Watched(noisy_image(3000, 10))
    found = complete_survey(image.image.strips())
    for pipeline, most in ((PIPELINES["rgb"], 60), (PIPELINES["chain"], 70), (PIPELINES["faithful"], 160)):
        image.rows = 0
        pipeline.stream_rows(image, found, 6000, 20, (3000, 3100)).gather()
        assert 50 <= image.rows < most


def test_what_cannot_be_split_is_refused_with_the_reason() -> None:
    image = noisy_image(40, 40)
    found = complete_survey(image.strips())
    whole = Pipeline([Stage(Blur(), "levelled", whole=True)])
    assert whole.why_not_in_parts(image.header) == "levelled takes statistics of the whole image"
    with pytest.raises(UsageError, match="levelled takes statistics of the whole image, so rows"):
        whole.stream_rows(image, found, 80, 80, (0, 10))
    measured = Image.from_pixels(image.pixels, measured=Measured())
    with pytest.raises(UsageError, match="measurements"):
        Pipeline([]).stream_rows(measured, found, 80, 80, (0, 10))
    assert PIPELINES["rgb"].why_not_in_parts(image.header) is None
    for rows in ((-1, 4), (4, 4), (70, 81)):
        with pytest.raises(UsageError, match="no rows"):
            PIPELINES["rgb"].stream_rows(image, found, 80, 80, rows)


def test_half_precision_that_fails_is_an_error_since_other_rows_do_not_know_of_it() -> None:
    image = noisy_image(40, 40)
    pipeline = Pipeline([Stage(Blur(precision="fp16", broken=np.nan), "blur")])
    with pytest.raises(BadOutput, match="fails in fp16") as caught:
        pipeline.stream_rows(image, complete_survey(image.strips()), 80, 80, (10, 20)).gather()
    assert "fp32" in str(caught.value)
