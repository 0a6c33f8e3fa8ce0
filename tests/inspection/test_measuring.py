from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import DamagedFile, UsageError
from hyperacuity.inspection import decide, describe_reason, inspect, inspect_frames, reading
from tests.inspection import made


@pytest.fixture(scope="module")
def photo() -> made.Pixels:
    return made.photo()


def test_a_sharp_image_has_no_faults(photo: made.Pixels) -> None:
    found = hyperacuity.inspect(photo)
    assert (found.height, found.width, found.jpeg_quality, found.grid) == (384, 512, None, None)
    assert found.noise < 1
    assert found.blockiness == 0
    assert found.bandwidth is not None
    assert found.bandwidth > 0.9
    assert decide(found) == "clean"


@pytest.mark.parametrize("deviation", [4, 8, 16])
def test_noise_is_measured(photo: made.Pixels, deviation: int) -> None:
    assert inspect(made.noisy(photo, deviation)).noise == pytest.approx(deviation, rel=0.2)


def test_dense_texture_is_not_noise(photo: made.Pixels) -> None:
    rng = np.random.default_rng(0)
    amplitude = np.linspace(1, 60, photo.shape[1])[None, :, None]  # stronger to the right, as texture varies
    leaves = np.clip(128 + rng.normal(size=photo.shape) * amplitude, 0, 255).astype(np.uint8)
    assert inspect(leaves).noise < 3


@pytest.mark.parametrize("quality", [35, 60])
@pytest.mark.parametrize("shift", [(0, 0), (3, 5)])
def test_blocks_are_found_in_a_png_of_a_jpeg_wherever_it_is_cropped(
    photo: made.Pixels, quality: int, shift: tuple[int, int], tmp_path: Path
) -> None:
    grainy = made.noisy(photo, 3)  # without any texture there is nothing for the blocks to cut
    pixels = made.decoded(made.jpeg(grainy, quality))[shift[1] :, shift[0] :]
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    found = inspect(tmp_path / "a.png")
    assert found.grid == (-shift[0] % 8, -shift[1] % 8)
    assert found.blockiness > 0.5
    assert found.jpeg_quality is None
    assert decide(found) == "dirty"


@pytest.mark.parametrize("sharp", [made.photo(), made.leaves()])
@pytest.mark.parametrize("factor", [0.7, 0.85, 1.25])
def test_a_jpeg_is_recognised_after_it_was_resized_and_stored_as_png(sharp: made.Pixels, factor: float) -> None:
    found = inspect(made.resized(made.decoded(made.jpeg(sharp, 30)), factor))
    assert found.blockiness < 0.25
    assert found.traces is not None
    assert found.traces > 0.8
    assert decide(found) == "dirty"


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("deviation", [0, 2])
def test_a_good_jpeg_leaves_no_traces(deviation: float, seed: int) -> None:
    grainy = made.noisy(made.photo(seed=seed), deviation)
    for pixels in (grainy, made.resized(grainy, 0.7), made.resized(made.decoded(made.jpeg(grainy, 95)), 0.7)):
        traces = inspect(pixels).traces
        assert traces is not None
        assert traces < 0.3


def test_few_pixels_are_no_proof(photo: made.Pixels) -> None:
    before = made.resized(made.decoded(made.jpeg(photo, 30)), 0.7)
    whole, part = inspect(before).traces, inspect(before[:64, :64]).traces
    assert whole is not None
    assert part is not None
    assert part < whole


@pytest.mark.parametrize("seed", [2, 3])
def test_a_flat_ground_has_no_traces(seed: int) -> None:
    sharp, rough = made.photo(seed=seed), made.decoded(made.jpeg(made.photo(seed=seed), 20))
    clean, dirty = inspect(made.cut_out(sharp)), inspect(made.resized(made.cut_out(rough), 0.8))
    assert clean.traces is not None
    assert clean.traces < 0.2
    assert decide(clean) == "clean"
    assert dirty.traces is not None
    assert dirty.traces > 0.6


def test_gravel_is_not_noise() -> None:
    gravel = made.gravel()
    found, noisy = inspect(gravel), inspect(made.noisy(np.dstack([gravel] * 3), 10))
    assert found.noise > 4  # as a deviation it cannot be distinguished
    assert found.grain is not None
    assert found.grain < 0.2
    assert decide(found) == "clean"
    assert noisy.grain is not None
    assert noisy.grain > 0.5
    assert decide(noisy) == "dirty"


@pytest.mark.parametrize("deviation", [6, 12])
def test_noise_is_recognised_as_noise(photo: made.Pixels, deviation: int) -> None:
    found = inspect(made.noisy(photo, deviation))
    assert found.grain is not None
    assert found.grain > 0.8
    assert decide(found) == "dirty"


@pytest.mark.parametrize("times", [2, 3, 5])
@pytest.mark.parametrize("cropped", [0, 1])
def test_repeated_pixels_were_enlarged_and_not_compressed(times: int, cropped: int) -> None:
    small = made.noisy(made.photo(180, 240, seed=3), 1)
    found = inspect(small.repeat(times, 0).repeat(times, 1)[cropped:, cropped:])
    assert found.bandwidth == round(1 / times, 2)
    assert found.traces is None
    assert describe_reason(found) == "blurred or enlarged before"


def test_columns_that_happen_to_repeat_are_not_enlarged(photo: made.Pixels) -> None:
    doubled = photo.copy()
    doubled[:, 1::2] = doubled[:, ::2]  # as interlacing would do, in one direction only
    assert inspect(doubled).bandwidth != 0.5
    assert inspect(np.zeros((64, 64), np.uint8)).bandwidth is None


@pytest.mark.parametrize(("factor", "most"), [(1.5, 0.8), (2, 0.6), (3, 0.45)])
def test_what_was_enlarged_before_fills_less_of_the_spectrum(photo: made.Pixels, factor: float, most: float) -> None:
    bandwidth = inspect(made.enlarged(photo, factor)).bandwidth
    assert bandwidth is not None
    assert 0.5 / factor < bandwidth < most


def test_blur_empties_the_spectrum(photo: made.Pixels) -> None:
    widths = [inspect(made.blurred(photo, radius)).bandwidth or 1 for radius in (0.7, 1.0, 1.5, 2.5)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.35


def test_a_blurred_background_is_no_blur(photo: made.Pixels) -> None:
    assert inspect(made.portrait(photo)).bandwidth == pytest.approx(1, abs=0.1)
    assert decide(inspect(made.jpeg(made.portrait(photo), 95))) == "clean"


@pytest.mark.parametrize("turned", [False, True])
def test_blur_in_one_direction_is_blur(photo: made.Pixels, turned: bool) -> None:
    sharp = np.ascontiguousarray(photo.swapaxes(0, 1)) if turned else photo
    moved = made.moved(sharp, 9)
    widths = [inspect(each).bandwidth or 1 for each in (sharp, moved)]
    assert widths[0] > 0.9
    assert widths[1] < 0.6
    assert decide(inspect(moved)) == "dirty"


def test_detail_at_all_scales_is_not_noise() -> None:
    trees = made.leaves()
    assert decide(inspect(trees)) == "clean"
    assert inspect(made.noisy(np.full((160, 160, 3), 110, np.uint8), 20)).noise == pytest.approx(20, rel=0.2)


def test_dithering_is_not_noise() -> None:
    dots = np.random.default_rng(6).integers(0, 2, (300, 300), np.uint8) * 150 + 50
    assert inspect(dots).noise == 0


def test_blocks_around_the_edges_of_a_drawing_are_found() -> None:
    drawing = made.drawing()
    assert decide(inspect(drawing)) == "clean"
    found = inspect(made.decoded(made.jpeg(drawing, 50)))
    assert found.grid == (0, 0)
    assert decide(found) == "dirty"


def test_an_icon_is_clean() -> None:
    assert decide(inspect(made.icon())) == "clean"


def test_a_file_states_its_quality_and_chroma(photo: made.Pixels, tmp_path: Path) -> None:
    data = made.jpeg(photo, 42, subsampling=1)
    (tmp_path / "a.jpg").write_bytes(data)
    for x in (data, tmp_path / "a.jpg", str(tmp_path / "a.jpg")):
        found = inspect(x)
        assert (found.jpeg_quality, found.chroma) == (42, "4:2:2")
    assert inspect(data) == inspect(data)


def test_an_earlier_jpeg_shows(photo: made.Pixels) -> None:
    grainy = made.noisy(photo, 3)
    before = made.decoded(made.jpeg(grainy, 30))
    assert inspect(made.jpeg(np.ascontiguousarray(before[3:, 5:]), 95)).recompressed
    assert inspect(made.jpeg(before, 96)).recompressed
    assert not inspect(made.jpeg(grainy, 60)).recompressed
    assert not inspect(made.jpeg(photo, 96)).recompressed


@pytest.mark.parametrize(
    "pixels", [made.screenshot(), made.pixel_art(1), made.pixel_art(4), made.pixel_art(8), made.line_art()]
)
def test_drawn_images_are_clean(pixels: made.Pixels, tmp_path: Path) -> None:
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    assert decide(inspect(tmp_path / "a.png")) == "clean"


@pytest.mark.parametrize("side", [1, 2, 7, 8, 9, 20])
def test_tiny_images_have_measurements(side: int) -> None:
    found = inspect(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))
    assert (found.height, found.width) == (side, side)
    assert found.traces is None
    assert decide(found) == "clean"


@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_images_are_clean(level: int) -> None:
    found = inspect(np.full((300, 200, 3), level, np.uint8))
    assert (found.noise, found.blockiness, found.bandwidth) == (0, 0, None)
    assert found.saturation == (level != 77)


def test_all_types_of_arrays_have_the_same_measurements(photo: made.Pixels) -> None:
    noisy = made.noisy(photo, 6)
    expected = inspect(noisy)
    opaque = np.full((*photo.shape[:2], 1), 255, np.uint8)
    grey = inspect(noisy[..., 1])
    assert grey.noise == pytest.approx(expected.noise, rel=0.1)
    assert inspect(np.dstack([noisy[..., 1:2], opaque])) == grey
    assert inspect(np.dstack([noisy, opaque])) == expected
    for other in (noisy.astype(np.uint16) * 257, noisy / np.float32(255)):
        found = inspect(other)
        assert found.noise == pytest.approx(expected.noise, abs=0.02)
        assert found.bandwidth == pytest.approx(expected.bandwidth)


def test_floats_without_a_value_do_no_harm() -> None:
    pixels = np.full((64, 64), np.nan, np.float32)
    pixels[::2] = np.inf
    assert decide(inspect(pixels)) in ("clean", "between", "dirty")


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK", "P", "1", "I;16"])
def test_files_of_any_mode(photo: made.Pixels, mode: str, tmp_path: Path) -> None:
    image = PIL.Image.fromarray(photo)
    deep = PIL.Image.fromarray(photo[..., 0].astype(np.uint16) * 257)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    (deep if mode == "I;16" else image.convert(mode)).save(path)
    assert inspect(path).width == 512


def test_the_first_frame_of_an_animation_counts(photo: made.Pixels, tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(each) for each in (photo, made.noisy(photo, 20))]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    assert inspect(tmp_path / "a.png") == inspect(photo)


def test_large_images_are_sampled_in_bounded_time() -> None:
    pixels = np.broadcast_to(np.uint8(100), (10_000, 10_000, 3))
    start = time.perf_counter()
    assert inspect(pixels).megapixels == 100
    assert time.perf_counter() - start < 1


def test_of_a_large_file_only_the_first_rows_are_read(
    photo: made.Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PIL.Image.fromarray(np.concatenate([photo, made.noisy(photo, 30)])).save(tmp_path / "a.png")
    monkeypatch.setattr(reading, "MOST", photo.shape[0] * photo.shape[1])
    found = inspect(tmp_path / "a.png")
    assert (found.height, found.width) == (768, 512)
    assert found.noise == inspect(photo).noise
    assert inspect((tmp_path / "a.png").read_bytes()) == found


def test_the_frames_of_a_video_are_judged_together(photo: made.Pixels) -> None:
    noisy = made.noisy(photo, 8)
    assert inspect_frames([photo, noisy, noisy]).noise == inspect(noisy).noise
    assert inspect_frames([photo, photo, noisy]).noise == inspect(photo).noise
    flat = inspect_frames([np.zeros((40, 40), np.uint8)])
    assert (flat.bandwidth, flat.traces) == (None, None)


def test_a_video_of_low_quality_is_recognised(tmp_path: Path) -> None:
    scene = made.photo(400, 600)
    for crf, verdict in ((16, "clean"), (38, "dirty")):
        frames = made.h264([scene[n : n + 360, 2 * n : 2 * n + 560] for n in range(9)], crf, tmp_path / f"{crf}.mkv")
        assert decide(inspect_frames(frames[2::3])) == verdict


@pytest.mark.parametrize(
    "pixels", [np.zeros((3, 3), np.int32), np.zeros((3, 3, 5), np.uint8), np.zeros((0, 3), np.uint8)]
)
def test_what_is_no_image_is_an_error(pixels: Any) -> None:
    with pytest.raises(UsageError, match="pixels of"):
        inspect(pixels)


def test_other_types_are_an_error(photo: made.Pixels) -> None:
    with pytest.raises(UsageError, match="cannot inspect a list"):
        inspect([1, 2])  # type: ignore[arg-type]


def test_a_pil_image_has_the_measurements_of_its_pixels(photo: made.Pixels) -> None:
    assert inspect(PIL.Image.fromarray(photo)) == inspect(photo)


def test_files_that_cannot_be_read_are_errors(tmp_path: Path, photo: made.Pixels) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        inspect(tmp_path / "a.png")
    file = io.BytesIO()
    PIL.Image.fromarray(photo).save(file, "PNG")
    with pytest.raises(DamagedFile):
        inspect(file.getvalue()[:5000])


def test_kodak_is_clean(shared: Path) -> None:
    images = sorted((shared / "data" / "validation" / "Kodak24").rglob("*.png"))
    assert {path.name: decide(inspect(path)) for path in images} == {path.name: "clean" for path in images}


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("00003.png", "clean"),
        ("OST_009.png", "clean"),
        ("children-alpha.png", "clean"),
        ("tree_alpha_16bit.png", "clean"),
        ("00017_gray.png", "dirty"),
        ("0014.jpg", "dirty"),
        ("0030.jpg", "dirty"),
        ("ADE_val_00000114.jpg", "dirty"),
        ("wolf_gray.jpg", "between"),
    ],
)
def test_photos(shared: Path, name: str, verdict: str) -> None:
    assert decide(inspect(shared / "data" / "formats" / "photo" / name)) == verdict


def test_names_that_are_not_utf8_or_look_like_options_are_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(90, 170, (64, 64, 3), np.uint8)
    for name in ("a[page=1].png", "a[1].png", "gr\udcf6\udcdfe.png"):
        try:
            PIL.Image.fromarray(pixels).save(tmp_path / name)
        except (OSError, UnicodeEncodeError):
            continue  # this file system has no such names
        assert inspect(tmp_path / name).noise > 4


def test_floats_far_outside_black_and_white_are_measured_as_these(photo: made.Pixels) -> None:
    pixels = np.where(photo > 128, np.float32(3e38), np.float32(-3e38))
    assert inspect(pixels).saturation == 1
    assert inspect(pixels.astype(np.float64)).saturation == 1
    halves = (photo / 255).astype(np.float16)
    assert inspect(halves).noise == pytest.approx(inspect(photo).noise, abs=0.1)
