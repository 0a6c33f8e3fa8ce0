from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hyperacuity import pipeline
from hyperacuity.errors import BadOutput, OutOfMemory, UsageError
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline, PrecisionWarning, Stage, windows
from hyperacuity.resize import resize
from tests.engines import Blur


def picture(height: int, width: int, channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> Image:
    """Noise around mid grey: every pixel counts, and no mean is near black."""
    random = np.random.default_rng(seed)
    values = random.random((height, width, channels)) * 0.5 + 0.25
    pixels = values.astype(np.float32) if dtype == np.float32 else (values * np.iinfo(dtype).max).astype(dtype)
    return Image.of(pixels, alpha=channels in (2, 4))


def enlarged(image: Image, engine: Blur, size: tuple[int, int] | None = None, **options: Any) -> NDArray[Any]:
    height, width = size or (image.header.height * engine.scale, image.header.width * engine.scale)
    return Pipeline([Stage(engine, "blur")], **options).stream(image, height, width).gather().pixels


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 61),
    width=st.integers(1, 61),
    tile=st.integers(1, 40),
    halo=st.integers(0, 9),
    multiple=st.sampled_from([1, 4]),
    channels=st.sampled_from([1, 2, 3, 4]),
    network_channels=st.sampled_from([1, 3]),
)
def test_tiled_equals_untiled_to_the_bit(
    height: int, width: int, tile: int, halo: int, multiple: int, channels: int, network_channels: int
) -> None:
    image = picture(height, width, channels)
    engine = Blur(scale=2, channels=network_channels, halo=halo, multiple=multiple)
    whole = enlarged(image, engine, tile=0)
    assert whole.shape == (height * 2, width * 2, channels)
    np.testing.assert_array_equal(enlarged(image, engine, tile=tile), whole)


@pytest.mark.parametrize("size", [(1, 97), (97, 1), (1, 1), (2, 53), (89, 89)])
def test_small_strips_change_nothing(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(*size, channels=4)
    engine = Blur(halo=7, channels=1, activation_bytes=100)
    whole = enlarged(image, engine)
    monkeypatch.setattr(pipeline, "STRIP_MEMORY", 1)  # a strip for each row
    monkeypatch.setattr(pipeline, "BLOCK_ROWS", 3)
    np.testing.assert_array_equal(enlarged(image, engine), whole)


def test_out_of_memory_takes_smaller_tiles_and_gives_the_same_bits() -> None:
    image = picture(70, 90)
    whole = enlarged(image, Blur(halo=3))
    for most in (3000, 700, 100, 49):
        tight = Blur(halo=3, most_pixels=most)
        np.testing.assert_array_equal(enlarged(image, tight), whole)
        assert min(shape[2] * shape[3] for shape in tight.runs) <= most


def test_out_of_memory_for_the_smallest_tile_is_an_error_with_a_cure() -> None:
    with pytest.raises(OutOfMemory, match="smaller model"):
        enlarged(picture(30, 30), Blur(halo=3, most_pixels=48))  # one pixel and its halo are 49


def test_tile_size_follows_from_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SMALLEST_TILE", 64)
    monkeypatch.setattr("hyperacuity.memory.available", lambda: 4 * 1000 * 2500)
    engine = Blur(halo=2, activation_bytes=1000)
    enlarged(picture(200, 300), engine)
    sizes = [shape[2] * shape[3] for shape in engine.runs]
    assert max(sizes) <= 2500
    assert np.mean(sizes) > 2000  # as few and as large as fit


@pytest.mark.parametrize("size", [(33, 47), (100, 141), (20, 30), (77, 20)])
def test_any_size_is_the_network_and_then_an_antialiased_resize(size: tuple[int, int]) -> None:
    image = picture(20, 30, dtype=np.float32)
    big = enlarged(image, Blur())
    np.testing.assert_allclose(enlarged(image, Blur(), size), resize(big, size=size), atol=2e-6)


def test_a_chain_is_one_network_after_the_other() -> None:
    image = picture(23, 31, dtype=np.float32)
    once = enlarged(image, Blur())
    twice = enlarged(Image.of(once), Blur())
    chain = Pipeline([Stage(Blur(), "a"), Stage(Blur(), "b")], tile=9).stream(image, 92, 124).gather().pixels
    np.testing.assert_allclose(chain, twice, atol=1e-6)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
def test_without_networks_it_is_the_reference_resampler(kernel: Any) -> None:
    image = picture(37, 23)
    ours = Pipeline([], kernel).stream(image, 74, 51).gather().pixels
    exact = np.clip(resize(image.pixels.astype(np.float64), size=(74, 51), kernel=kernel), 0, 255)
    assert np.abs(ours - exact).max() <= 0.5 + 1e-4  # correctly rounded, but for float32's own error


def test_the_same_size_without_networks_is_the_same_picture() -> None:
    for dtype in (np.uint8, np.uint16, np.float32):
        image = picture(9, 70, 4, dtype)
        np.testing.assert_array_equal(Pipeline([]).stream(image, 9, 70).gather().pixels, image.pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("network_channels", [1, 3])
def test_depth_and_channels_stay(dtype: Any, channels: int, network_channels: int) -> None:
    identity = Blur(halo=0, scale=2, channels=network_channels)
    image = picture(12, 9, channels, dtype)
    result = enlarged(image, identity)
    assert result.dtype == dtype
    # At halo 0 the network repeats pixels; colour through a network on luma keeps the luma only.
    if channels < 3 or network_channels == 3:
        tolerance = 1e-6 if dtype == np.float32 else 0
        np.testing.assert_allclose(result, image.pixels.repeat(2, 0).repeat(2, 1), atol=tolerance)


def test_ten_bits_in_sixteen_stay_within_their_levels() -> None:
    pixels = np.array([[[0], [1023]]] * 2, np.uint16).repeat(8, 0).repeat(8, 1)
    image = Image.of(pixels, levels=(0, 1023))
    result = Pipeline([], "lanczos").stream(image, 33, 33).gather().pixels
    assert result.max() == 1023
    assert result.min() == 0


def test_floats_beyond_their_levels_are_neither_clipped_nor_squeezed() -> None:
    image = Image.of(np.linspace(-1000, 3000, 64, dtype=np.float32).reshape(8, 8))
    result = enlarged(image, Blur(halo=0, channels=1))
    np.testing.assert_allclose(result[..., 0], image.pixels[..., 0].repeat(2, 0).repeat(2, 1), rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused(bad: float) -> None:
    image = picture(8, 8, dtype=np.float32)
    image.pixels[3, 4, 0] = bad
    with pytest.raises(UsageError, match="NaN or infinite"):
        enlarged(image, Blur())


@pytest.mark.parametrize("network_channels", [1, 3])
@pytest.mark.parametrize("under", [0, 255])
def test_what_lies_under_transparency_never_shows(network_channels: int, under: int) -> None:
    """A grey disc on transparent black, or white, must come out equally grey up to its rim."""
    y, x = np.mgrid[-20:20, -20:20] + 0.5
    alpha = np.clip(15 - np.hypot(x, y) + 0.5, 0, 1)
    pixels = np.empty((40, 40, 4), np.uint8)
    pixels[..., :3] = np.where(alpha[..., None] > 0, 128, under)
    pixels[..., 3] = alpha * 255
    for size in ((80, 80), (100, 100), (60, 60)):
        result = enlarged(Image.of(pixels, alpha=True), Blur(channels=network_channels, halo=0), size)
        visible = result[result[..., 3] > 8]
        assert abs(visible[:, :3].astype(int) - 128).max() <= 1
        assert result[..., 3].min() == 0
        assert result[..., 3].max() == 255


def test_an_opaque_or_evenly_translucent_image_stays_exactly_so() -> None:
    for value in (0, 77, 255):
        image = picture(9, 9, 4)
        image.pixels[..., 3] = value
        engine = Blur(channels=1)
        assert (enlarged(image, engine)[..., 3] == value).all()
        assert all(shape[0] == 1 for shape in engine.runs)  # and no time is spent on it


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0, 1.0])
def test_half_precision_that_fails_is_computed_again_in_float32(broken: float) -> None:
    image = picture(40, 40)
    whole = enlarged(image, Blur())
    with pytest.warns(PrecisionWarning, match="blur fails in fp16"):
        result = enlarged(image, Blur(precision="fp16", broken=broken), tile=20)
    np.testing.assert_array_equal(result, whole)


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_nonsense_in_float32_is_an_error(broken: float) -> None:
    class Nonsense(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            result = super().run(batch)
            result[:, :, -64:, -64:] = broken
            return result

    with pytest.raises(BadOutput, match="nonsense"):
        enlarged(picture(150, 120), Nonsense())


def test_self_ensemble_of_a_symmetric_network_is_the_network() -> None:
    image = picture(21, 34, dtype=np.float32)
    engine = Blur()
    np.testing.assert_allclose(enlarged(image, engine, tta=True), enlarged(image, engine), atol=1e-6)
    assert {shape[2:] for shape in engine.runs} == {(21, 34), (34, 21)}


def test_self_ensemble_averages_out_what_is_not_symmetric() -> None:
    class Leaning(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return super().run(batch) + np.linspace(-0.05, 0.05, batch.shape[3] * 2, dtype=np.float32)

    image = picture(20, 20, dtype=np.float32)
    np.testing.assert_allclose(enlarged(image, Leaning(), tta=True), enlarged(image, Blur()), atol=1e-6)


def test_networks_on_luma_take_chroma_from_bicubic() -> None:
    class Bicubic(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return resize(batch[0, 0], scale=2)[None, None]

    image = picture(32, 24, dtype=np.float32)
    whole = enlarged(image, Bicubic(channels=1), tile=0)
    np.testing.assert_allclose(whole, resize(image.pixels, scale=2), atol=1e-5)


def test_rows_come_before_the_whole_is_computed() -> None:
    engine = Blur()
    rows = iter(Pipeline([Stage(engine, "blur")], tile=10).stream(picture(100, 10), 200, 20).rows)
    next(rows)
    assert len(engine.runs) == 1


def test_windows_may_overlap_skip_and_cross_strips() -> None:
    whole = np.arange(40, dtype=np.float32).reshape(1, 20, 2)
    strips = [whole[:, a:b] for a, b in ((0, 1), (1, 7), (7, 8), (8, 20))]
    spans = [(0, 3), (0, 9), (5, 6), (8, 20), (19, 20)]
    for (first, last), window in zip(spans, windows(strips, spans), strict=True):
        np.testing.assert_array_equal(window, whole[:, first:last])


def test_a_pipeline_is_stateless() -> None:
    """Half precision that failed on one image is tried again on the next."""
    half = Blur(precision="fp16", broken=np.nan)
    line = Pipeline([Stage(half, "blur")])
    for _ in range(2):
        with pytest.warns(PrecisionWarning):
            line.stream(picture(8, 8), 16, 16).gather()
    assert replace(line) == line
