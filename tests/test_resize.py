from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.resize import KERNELS, Kernel, Taps, resample, resize, taps, taps_at

Array = NDArray[Any]
TYPES = [np.uint8, np.uint16, np.float32, np.float64]
kernels = st.sampled_from(KERNELS)
sides = st.integers(1, 40)


def noise(*shape: int, dtype: Any = np.float64, seed: int = 0) -> Array:
    values = np.random.default_rng(seed).random(shape)
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else (values * np.iinfo(dtype).max).astype(dtype)


def as_float(image: Array) -> PIL.Image.Image:
    return PIL.Image.fromarray(image.astype(np.float32), mode=None)


def inside(image: Array, border: int) -> Array:
    return image[border:-border, border:-border]


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_golden_images_of_matlab_are_reproduced_to_the_bit(shared: Path, factor: int) -> None:
    originals = sorted((shared / "data/benchmarks/Set5").glob("*.png"))
    assert len(originals) == 5
    for path in originals:
        golden = shared / f"data/golden/Set5_LR_bicubic/X{factor}/{path.stem}x{factor}.png"
        rgb = np.asarray(PIL.Image.open(path).convert("RGB"))
        height, width = (side - side % factor for side in rgb.shape[:2])
        small = resize(rgb[:height, :width], scale=1 / factor)
        np.testing.assert_array_equal(small, np.asarray(PIL.Image.open(golden)))


def imresize(image: Array, scales: tuple[float, float], size: tuple[int, int]) -> Array:
    """MATLAB's algorithm for uint8, sample by sample."""

    def cubic(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    for axis in sorted((0, 1), key=lambda a: scales[a]):  # stable: on equal scales rows come first
        scale, length = scales[axis], image.shape[axis]
        lines = np.moveaxis(image, axis, 0).astype(np.float64)
        result = np.empty((size[axis], *lines.shape[1:]))
        for i in range(size[axis]):
            u = (i + 1) / scale + 0.5 * (1 - 1 / scale)
            squeeze = min(scale, 1.0)
            total, norm = np.zeros(lines.shape[1:]), 0.0
            left = math.floor(u - 2 / squeeze)
            for tap in range(left, left + math.ceil(4 / squeeze) + 2):
                weight = cubic(squeeze * (u - tap))
                place = (tap - 1) % (2 * length)
                total += weight * lines[min(place, 2 * length - 1 - place)]
                norm += weight
            result[i] = total / norm
        image = np.clip(np.floor(np.moveaxis(result, 0, axis) + 0.5), 0, 255)
    return image


@settings(max_examples=40, deadline=None)
@given(height=sides, width=sides, scale=st.sampled_from([0.21, 0.25, 1 / 3, 0.4, 0.5, 0.77, 1.0, 1.3, 1.5, 2.0, 3.0]))
def test_one_scale_is_matlabs_algorithm_rows_first(height: int, width: int, scale: float) -> None:
    image = noise(height, width, dtype=np.uint8, seed=height * 41 + width)
    size = math.ceil(scale * height), math.ceil(scale * width)
    ours = resize(image, scale=scale)
    assert ours.shape == size
    # A sum of exactly .5 may round either way with the order of additions; such sums are rare.
    difference = np.abs(ours.astype(int) - imresize(image, (scale, scale), size))
    assert difference.max() <= 1
    assert (difference > 0).sum() <= 1 + ours.size // 50


@pytest.mark.parametrize("size", [(20, 9), (9, 20), (31, 60), (60, 31), (13, 70), (1, 1)])
def test_a_size_is_matlabs_algorithm_with_the_smaller_scale_first(size: tuple[int, int]) -> None:
    image = (noise(24, 26) > 0.5).astype(np.uint8) * 255  # black and white: each pass clips
    scales = size[0] / 24, size[1] / 26
    assert (resize(image, size=size) != imresize(image, scales, size)).sum() <= 1


def test_the_order_of_passes_shows_on_integers() -> None:
    image = (noise(25, 26) > 0.5).astype(np.uint8) * 255
    rows, columns = taps(25, 20), taps(26, 13)
    rows_first = resample(resample(image, rows, 0), columns, 1)
    columns_first = resample(resample(image, columns, 1), rows, 0)
    assert (rows_first != columns_first).any()
    np.testing.assert_array_equal(resize(image, size=(20, 13)), columns_first)
    # 25 rows by one half are 13, a little more than half; the scale asked for is the same on both axes.
    rows, columns = taps(25, 13, scale=0.5), taps(26, 13, scale=0.5)
    np.testing.assert_array_equal(resize(image, scale=0.5), resample(resample(image, rows, 0), columns, 1))


@pytest.mark.parametrize(("kernel", "mode"), [("bicubic", "BICUBIC"), ("lanczos", "LANCZOS")])
@pytest.mark.parametrize("size", [(30, 40), (45, 60), (77, 111), (120, 160), (180, 160)])
def test_pillow_agrees_inside(kernel: Kernel, mode: str, size: tuple[int, int]) -> None:
    image = noise(90, 80)
    theirs = np.asarray(as_float(image).resize(size[::-1], getattr(PIL.Image.Resampling, mode)))
    ours = resize(image, size=size, kernel=kernel)
    border = math.ceil(4 * max(1, size[0] / 90, size[1] / 80))  # at borders it reduces weights instead of mirroring
    np.testing.assert_allclose(inside(ours, border), inside(theirs, border), atol=2e-6)


@pytest.mark.parametrize("size", [(30, 40), (61, 47), (180, 160)])
def test_torch_agrees_inside(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    image = noise(90, 80)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None], size=size, mode="bicubic", antialias=True, align_corners=False
    )[0, 0].numpy()
    np.testing.assert_allclose(inside(resize(image, size=size), 6), inside(theirs, 6), atol=1e-12)


@pytest.mark.parametrize("factor", [1, 2, 3, 7, 49])
def test_area_by_whole_factors_is_the_mean_of_blocks(factor: int) -> None:
    image = noise(2 * factor, 3 * factor, 3)
    blocks = image.reshape(2, factor, 3, factor, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, size=(2, 3), kernel="area"), blocks, rtol=1e-12)
    assert taps(2 * factor, 2, "area").weights.shape == (2, factor)  # and reads no unneeded pixel


@pytest.mark.parametrize("size", [(30, 20), (41, 33), (7, 59)])
def test_pillows_box_is_area_when_shrinking_by_whole_factors(size: tuple[int, int]) -> None:
    image = noise(size[0] * 3, size[1] * 2)
    theirs = np.asarray(as_float(image).resize(size[::-1], PIL.Image.Resampling.BOX))
    np.testing.assert_allclose(resize(image, size=size, kernel="area"), theirs, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(height=sides, width=sides, size=st.tuples(sides, sides))
def test_area_keeps_the_mean(height: int, width: int, size: tuple[int, int]) -> None:
    image = noise(height, width)
    assert resize(image, size=size, kernel="area").mean() == pytest.approx(image.mean(), abs=1e-7)


@settings(max_examples=200, deadline=None)
@given(source=st.integers(1, 200), target=st.integers(1, 200))
def test_nearest_reads_the_pixel_under_the_centre(source: int, target: int) -> None:
    exact = [(2 * i + 1) * source // (2 * target) for i in range(target)]
    np.testing.assert_array_equal(taps(source, target, "nearest").index[:, 0], exact)


@pytest.mark.parametrize("size", [(12, 10), (24, 20), (48, 40), (72, 60), (8, 5), (17, 9)])
def test_nearest_is_pillows(size: tuple[int, int]) -> None:
    image = noise(24, 20, dtype=np.uint8)
    theirs = np.asarray(PIL.Image.fromarray(image).resize(size[::-1], PIL.Image.Resampling.NEAREST))
    np.testing.assert_array_equal(resize(image, size=size, kernel="nearest"), theirs)


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.tuples(sides, sides), kernels, st.sampled_from(TYPES), st.sampled_from([(), (1,), (3,)]))
def test_constant_values_type_and_channels_are_kept(
    height: int, width: int, size: tuple[int, int], kernel: Kernel, dtype: Any, channels: tuple[int, ...]
) -> None:
    image = np.full((height, width, *channels), 77, dtype)
    result = resize(image, size=size, kernel=kernel)
    assert result.dtype == dtype
    assert result.shape == (*size, *channels)
    np.testing.assert_allclose(result, 77, rtol=0 if result.dtype.kind == "u" else 1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [*TYPES, np.float16, np.int16, np.uint32])
def test_the_same_size_is_the_same_image(kernel: Kernel, dtype: Any) -> None:
    image = noise(13, 8, 3, dtype=dtype)
    np.testing.assert_array_equal(resize(image, scale=1, kernel=kernel), image)
    np.testing.assert_array_equal(resize(image, size=(13, 8), kernel=kernel), image)


@settings(max_examples=60, deadline=None)
@given(source=sides, target=sides, kernel=kernels, axis=st.sampled_from([0, 1, 2, -1]), data=st.data())
def test_a_cut_table_gives_the_bits_of_the_whole(
    source: int, target: int, kernel: Kernel, axis: int, data: st.DataObject
) -> None:
    a = data.draw(st.integers(0, target - 1))
    b = data.draw(st.integers(a + 1, target))
    table = taps(source, target, kernel)
    part = table[a:b]
    assert len(part) == b - a
    low, high = part.reach
    assert 0 <= low < high <= source
    for dtype in (np.uint8, np.float32):
        shape = [3, 4, 5]
        shape[axis] = source
        array = noise(*shape, dtype=dtype)
        whole = resample(array, table, axis)
        rows = np.take(array, range(low, high), axis)
        expected = np.take(whole, range(a, b), axis)
        np.testing.assert_array_equal(resample(rows, part.shifted(low), axis), expected)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("lengths", [(700, 1400), (700, 1049), (1400, 700), (900, 37)])
def test_blocks_and_memory_layout_change_no_bit(axis: int, lengths: tuple[int, int]) -> None:
    """Large enough for several blocks on both sides of the axis."""
    table = taps(*lengths)
    whole = noise(2, *((330, lengths[0]) if axis == -1 else (lengths[0], 330)), dtype=np.float32)
    expected = resample(whole, table, axis)
    other = (slice(None), slice(101, 230)) if axis == -1 else (slice(None), slice(None), slice(101, 230))
    np.testing.assert_array_equal(resample(whole[other], table, axis), expected[other])
    turned = np.asfortranarray(whole)
    np.testing.assert_array_equal(resample(turned, table, axis), expected)
    naive = sum(
        np.take(whole.astype(np.float64), table.index[:, n], axis)
        * (table.weights[:, n] if axis == -1 else table.weights[:, n, None])
        for n in range(table.index.shape[1])
    )
    np.testing.assert_allclose(expected, naive, atol=1e-6)


def test_integers_are_clipped_and_rounded_half_up_after_each_pass() -> None:
    half = Taps(np.array([[0, 1]]), np.array([[0.5, 0.5]]))
    over = Taps(np.array([[0, 1]]), np.array([[1.5, -0.5]]))
    for dtype in (np.uint8, np.uint16, np.int16):
        most, least = np.iinfo(dtype).max, np.iinfo(dtype).min
        pair = np.array([0, 1], dtype)
        assert resample(pair, half, 0)[0] == 1
        assert resample(np.array([2, 1], dtype), half, 0)[0] == 2
        assert resample(np.array([most, least], dtype), over, 0)[0] == most
        assert resample(np.array([least, most], dtype), over, 0)[0] == least
    assert resample(np.array([-1, 0], np.int16), half, 0)[0] == 0
    assert resample(np.array([1.0, 0.0], np.float32), over, 0)[0] == 1.5


@settings(max_examples=60, deadline=None)
@given(height=sides, width=sides, scale=st.floats(0.05, 4))
def test_the_size_for_a_scale_is_rounded_up(height: int, width: int, scale: float) -> None:
    assert resize(noise(height, width), scale=scale).shape == (math.ceil(scale * height), math.ceil(scale * width))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_single_pixel_grows_and_many_shrink_to_one(kernel: Kernel) -> None:
    assert (resize(np.full((1, 1), 9, np.uint8), size=(50, 3), kernel=kernel) == 9).all()
    line = np.arange(100, dtype=np.float64)[None]
    result = resize(line, size=(1, 1), kernel=kernel)
    assert result[0, 0] == pytest.approx(50 if kernel == "nearest" else 49.5)


def test_weights_sum_to_one_and_index_within_the_source() -> None:
    for kernel in get_args(Kernel):
        for source, target, scale in ((7, 3, None), (3, 7, None), (1, 9, None), (3, 2, 0.34), (100, 1, 0.003)):
            table = taps(source, target, kernel, scale=scale)
            np.testing.assert_allclose(table.weights.sum(axis=1), 1)
            assert table.index.min() >= 0
            assert table.index.max() < source


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
def test_tables_of_given_places_are_those_of_a_grid(kernel: Kernel) -> None:
    for source, target in ((9, 18), (18, 9), (7, 20), (20, 7)):
        scale = target / source
        centres = ((np.arange(target) + 0.5) / scale - 0.5).astype(np.float64)
        line = noise(source)
        free = resample(line, taps_at(centres, source, kernel, widening=max(1, 1 / scale)), 0)
        np.testing.assert_allclose(free, resample(line, taps(source, target, kernel), 0), rtol=1e-12)
    np.testing.assert_array_equal(
        resample(line, taps_at(np.arange(0, 20, 3).astype(np.float64), 20, kernel), 0), line[::3]
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 2, "size": (8, 8)},
        {"scale": 0},
        {"scale": -1},
        {"scale": math.nan},
        {"scale": math.inf},
        {"scale": 1e300},
        {"size": (0, 5)},
        {"size": (5, -1)},
        {"size": (5, 2**40)},
        {"scale": 2, "kernel": "cubic"},
    ],
)
def test_impossible_options_raise_usage_error(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        resize(noise(4, 4), **options)


@pytest.mark.parametrize(
    "pixels",
    [
        noise(0, 4),
        noise(4, 0, 3),
        noise(4),
        noise(2, 4, 4, 3),
        np.ones((4, 4), bool),
        np.ones((4, 4), np.int64),
        np.ones((4, 4), complex),
    ],
)
def test_arrays_that_are_not_images_raise_usage_error(pixels: Array) -> None:
    with pytest.raises(UsageError):
        resize(pixels, scale=2)
