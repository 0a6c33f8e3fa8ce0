"""A network at work on one image: tiles, memory, precision, self-ensemble, rows per core."""

from __future__ import annotations

import contextvars
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.errors import OutOfMemory
from hyperacuity.pipeline import PrecisionWarning, tile_budget
from hyperacuity.resize import resize
from tests.engines import Blur
from tests.pipeline.images import enlarged, noisy_image


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
    image = noisy_image(height, width, channels)
    engine = Blur(scale=2, channels=network_channels, halo=halo, multiple=multiple)
    whole = enlarged(image, engine, tile=0)
    assert whole.shape == (height * 2, width * 2, channels)
    np.testing.assert_array_equal(enlarged(image, engine, tile=tile), whole)


@pytest.mark.parametrize("size", [(1, 97), (97, 1), (1, 1), (2, 53), (89, 89)])
def test_small_strips_change_nothing(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = noisy_image(*size, channels=4)
    engine = Blur(halo=7, channels=1, activation_bytes=100)
    whole = enlarged(image, engine)
    monkeypatch.setattr(tile_budget, "STRIP_MEMORY", 1)  # a strip for each row
    monkeypatch.setattr(tile_budget, "BLOCK", 500)
    np.testing.assert_array_equal(enlarged(image, engine), whole)


def test_out_of_memory_takes_smaller_tiles_and_gives_the_same_bits() -> None:
    image = noisy_image(34, 40)
    whole = enlarged(image, Blur(halo=3))
    for most in (1000, 700, 100, 49):
        tight = Blur(halo=3, most_pixels=most)
        np.testing.assert_array_equal(enlarged(image, tight), whole)
        assert min(shape[2] * shape[3] for shape in tight.runs) <= most


def test_out_of_memory_for_the_smallest_tile_raises_an_error_with_a_cure() -> None:
    with pytest.raises(OutOfMemory, match="smaller model"):
        enlarged(noisy_image(30, 30), Blur(halo=3, most_pixels=48))  # one pixel and its halo are 49


def test_tile_size_follows_from_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_budget, "SMALLEST_TILE", 64)
    engine = Blur(halo=2, activation_bytes=1000, free=4 * 1000 * 2500)
    enlarged(noisy_image(200, 300), engine)
    sizes = [shape[2] * shape[3] for shape in engine.runs]
    assert max(sizes) <= 2500
    assert np.mean(sizes) > 2000  # as few and as large as possible


@pytest.mark.parametrize(("size", "channels"), [((1, 3000), 3), ((3000, 1), 3), ((60, 60), 4), ((1, 3000), 2)])
def test_tile_size_counts_every_pixel_that_a_run_computes(
    size: tuple[int, int], channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alpha is a second image in the batch, and a thin image is computed with a ring around it."""
    monkeypatch.setattr(tile_budget, "SMALLEST_TILE", 64)
    engine = Blur(halo=4, activation_bytes=1000, free=4 * 1000 * 2500)
    enlarged(noisy_image(*size, channels), engine)
    assert max(shape[0] * shape[2] * shape[3] for shape in engine.runs) <= 2500


def test_networks_with_a_large_halo_rarely_compute_it_twice() -> None:
    class Deep(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            self.runs.append(batch.shape)
            return batch.repeat(self.scale, axis=2).repeat(self.scale, axis=3)

    engine = Deep(halo=36, activation_bytes=4096, free=16 << 30)  # as EDSR-baseline
    enlarged(noisy_image(540, 960), engine)
    assert sum(shape[2] * shape[3] for shape in engine.runs) < 1.2 * 540 * 960


def test_wide_images_are_not_cut_into_slivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The results of a row of tiles may take more memory than planned before most of the work is halo."""
    monkeypatch.setattr(tile_budget, "STRIP_MEMORY", 1)
    engine = Blur(halo=5)
    enlarged(noisy_image(200, 30), engine)
    assert sum(shape[2] for shape in engine.runs) <= 2 * 200


def test_networks_that_work_in_blocks_see_the_same_blocks_in_every_tile() -> None:
    class Blocks(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            side = self.multiple
            self.runs.append(batch.shape)
            n, c, height, width = batch.shape
            means = batch.reshape(n, c, height // side, side, width // side, side).mean(axis=(3, 5))
            blocks = means.repeat(side, axis=2).repeat(side, axis=3)
            result = (batch + blocks).repeat(2, axis=2).repeat(2, axis=3)
            return np.asarray(result / 2, np.float32)

    for size in ((1, 30), (3, 5), (23, 29), (32, 8)):
        image = noisy_image(*size, dtype=np.float32)
        whole = enlarged(image, Blocks(multiple=8, halo=7), tile=0)
        for tile in (1, 8, 11):
            np.testing.assert_allclose(enlarged(image, Blocks(multiple=8, halo=7), tile=tile), whole, atol=1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0, 1.0])
def test_half_precision_that_fails_is_computed_again_in_float32(broken: float) -> None:
    image = noisy_image(40, 40)
    whole = enlarged(image, Blur())
    with pytest.warns(PrecisionWarning, match="blur fails in fp16"):
        result = enlarged(image, Blur(precision="fp16", broken=broken), tile=20)
    np.testing.assert_array_equal(result, whole)


def test_full_precision_is_not_made_ready_before_it_is_needed() -> None:
    class Costly(Blur):
        def in_float32(self) -> Blur:
            raise AssertionError

    enlarged(noisy_image(20, 20), Costly(precision="fp16"))


def test_self_ensemble_of_a_symmetric_network_is_the_network() -> None:
    image = noisy_image(21, 34, dtype=np.float32)
    engine = Blur()
    np.testing.assert_allclose(enlarged(image, engine, tta=True), enlarged(image, engine), atol=1e-6)
    assert {shape[2:] for shape in engine.runs} == {(21, 34), (34, 21)}


def test_self_ensemble_averages_out_asymmetries() -> None:
    class Leaning(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return super().run(batch) + np.linspace(-0.05, 0.05, batch.shape[3] * 2, dtype=np.float32)

    image = noisy_image(20, 20, dtype=np.float32)
    np.testing.assert_allclose(enlarged(image, Leaning(), tta=True), enlarged(image, Blur()), atol=1e-6)


def test_networks_on_luma_take_chroma_from_bicubic() -> None:
    class Bicubic(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return resize(batch[0, 0], scale=2)[None, None]

    image = noisy_image(32, 24, dtype=np.float32)
    whole = enlarged(image, Bicubic(channels=1), tile=0)
    np.testing.assert_allclose(whole, resize(image.pixels, scale=2), atol=1e-5)


class Paired(Blur):
    """With a per-core version, which counts its runs separately."""

    def per_core(self) -> Blur:  # type: ignore[override]
        if not hasattr(self, "own"):
            self.own = Single(self.scale, self.channels, self.multiple, self.halo, 100, self.free, self.precision)
            self.own.most_pixels, self.own.broken = self.most_pixels, self.broken
        return self.own


class Single(Blur):
    def per_core(self) -> Blur:  # type: ignore[override]
        return self


@pytest.mark.parametrize("network_channels", [1, 3])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_rows_of_tiles_per_core_change_nothing(
    channels: int, network_channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(tile_budget, "ROW_PIXELS", 2500)
    image = noisy_image(171, 60, channels)
    both = Paired(channels=network_channels, activation_bytes=100)
    result = enlarged(image, both)
    np.testing.assert_array_equal(result, enlarged(image, Blur(channels=network_channels, activation_bytes=100)))
    assert not both.runs
    assert len(both.per_core().runs) == 4
    enlarged(image, both.per_core())  # already per core: it has no rows to distribute
    assert len(both.per_core().runs) == 5


def test_rows_are_computed_per_core_where_they_are_high_and_memory_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    low = Paired(activation_bytes=100)  # halo 2: rows of 40 and more
    enlarged(noisy_image(78, 60), low)
    assert low.runs
    tight = Paired(activation_bytes=100, free=4 * 100 * 79 * 60)
    enlarged(noisy_image(80, 60), tight)
    assert tight.runs
    for tile in (0, 50):
        asked = Paired(activation_bytes=100)
        enlarged(noisy_image(200, 60), asked, tile=tile)
        assert asked.runs
    monkeypatch.setattr(machine, "cores", lambda: 1)
    single = Paired(activation_bytes=100)
    enlarged(noisy_image(200, 60), single)
    assert single.runs


def test_rows_per_core_shrink_tiles_and_warn_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    image = noisy_image(100, 60)
    whole = enlarged(image, Blur())
    np.testing.assert_array_equal(enlarged(image, Paired(activation_bytes=100, most_pixels=700)), whole)
    with pytest.raises(OutOfMemory, match="smaller model"):
        enlarged(image, Paired(activation_bytes=100, most_pixels=20))
    file = contextvars.ContextVar("file", default="")
    file.set("this one")
    reported = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: reported.append((str(message), file.get()))
        enlarged(image, Paired(activation_bytes=100, precision="fp16", broken=np.nan))
    assert reported
    assert {name for _, name in reported} == {"this one"}
