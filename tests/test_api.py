from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import Size, UnknownModel, UsageError, engines
from hyperacuity.resize import resize


@pytest.fixture
def pixels() -> Any:
    """An image with detail that bicubic loses, taken for clean: discs, and stripes with hard edges, 60 x 80 RGB."""
    y, x = np.mgrid[0:60, 0:80]
    discs = 128 + 90 * np.sin(np.hypot(x - 40, y - 30) / 2)
    stripes = 128 + 90 * np.sign(np.sin(x / 3 + y / 5))
    return np.stack([discs, stripes, (discs + stripes) / 2], axis=-1).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_an_array_gives_an_array(pixels: Any, dtype: Any, channels: int | None) -> None:
    shape = (60, 80) if channels is None else (60, 80, channels)
    values = np.random.default_rng(0).random(shape) * 0.2 + 0.4
    array = values.astype(np.float32) if dtype == np.float32 else (values * np.iinfo(dtype).max).astype(dtype)
    result = hyperacuity.upscale(array, 1.5)
    assert result.shape == (90, 120, *shape[2:])
    assert result.dtype == dtype


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_a_pil_image_gives_a_pil_image(pixels: Any, mode: str) -> None:
    picture = PIL.Image.fromarray(pixels)
    picture = PIL.Image.fromarray(pixels[..., 0].astype(np.uint16) * 257) if mode == "I;16" else picture.convert(mode)
    picture.info["icc_profile"] = b"profile"
    result = hyperacuity.upscale(picture, 2)
    assert isinstance(result, PIL.Image.Image)
    assert result.size == (160, 120)
    assert result.mode == {"1": "RGB", "P": "RGB", "CMYK": "RGB"}.get(mode, mode)
    assert result.info.get("icc_profile") == (None if mode == "CMYK" else b"profile")  # the profile was for CMYK


def test_pil_images_of_rare_modes_keep_their_depth_or_are_refused(pixels: Any) -> None:
    deep = pixels[..., 0].astype(np.uint16) * 257
    expected = hyperacuity.upscale(deep)
    big_endian = PIL.Image.frombytes("I;16B", (80, 60), deep.astype(">u2").tobytes())
    assert np.array_equal(np.asarray(hyperacuity.upscale(big_endian)), expected)
    assert hyperacuity.upscale(PIL.Image.fromarray(pixels).convert("LA").convert("La")).mode == "LA"
    with pytest.raises(UsageError, match="I;16"):
        hyperacuity.upscale(PIL.Image.fromarray(pixels).convert("L").convert("I"))


def test_a_network_that_restores_works_at_the_same_size(pixels: Any, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from hyperacuity import export
    from hyperacuity.networks import build

    torch.manual_seed(1)
    config = {"scale": 1, "features": 4, "convs": 1}
    network = build("compact", config)
    with torch.no_grad():
        for parameter in network.parameters():  # the change that it makes is to be small
            parameter.mul_(0.3)
    card = hyperacuity.zoo.Card("clean", "compact", 1, "RGB", "", "", "", config, **export.measure_network(network))
    export.write_model(network, card, tmp_path)
    upscaler = hyperacuity.load(tmp_path / "clean.safetensors")
    x = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = (network(x)[0].permute(1, 2, 0) * 255).round().clamp(0, 255).numpy()
    result = upscaler.array(pixels, Size(1))
    assert np.abs(result - expected).max() <= 1
    assert not np.array_equal(result, pixels)
    assert upscaler.names((60, 80), (60, 80)) == ("clean",)
    with pytest.raises(UsageError, match="use scale=1"):
        upscaler.array(pixels, Size(2))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_bytes_give_bytes(pixels: Any, kind: str) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, kind, quality=95)
    result = PIL.Image.open(io.BytesIO(hyperacuity.upscale(buffer.getvalue(), 2)))
    assert result.format == kind
    assert result.size == (160, 120)


def test_a_path_gives_a_path(pixels: Any, tmp_path: Path) -> None:
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    assert hyperacuity.upscale(tmp_path / "a.png") == tmp_path / "a-x2.png"
    assert hyperacuity.upscale(str(tmp_path / "a.png"), 1.5) == str(tmp_path / "a-x1.5.png")
    assert hyperacuity.upscale(tmp_path / "a.png", width=200, output=tmp_path / "b.jpg") == tmp_path / "b.jpg"
    with PIL.Image.open(tmp_path / "b.jpg") as written:
        assert written.size == (200, 150)
    with pytest.raises(UsageError, match="exists"):
        hyperacuity.upscale(tmp_path / "a.png")
    hyperacuity.upscale(tmp_path / "a.png", force=True)
    with pytest.raises(UsageError, match="returned"):
        hyperacuity.upscale(pixels, output=tmp_path / "c.png")


@pytest.mark.parametrize(("name", "kind", "expected"), [
    ("a.JPEG", "JPEG", "a-x2.JPEG"),
    ("a.tiff", "TIFF", "a-x2.tiff"),
    ("a.jpg", "PNG", "a-x2.jpg"),
    ("a", "JPEG", "a-x2.jpg"),
    ("a.data", "PNG", "a-x2.png"),
    ("a.jp2", "JPEG2000", "a-x2.png"),
])  # fmt: skip
def test_results_keep_the_ending_where_it_names_a_format(
    pixels: Any, tmp_path: Path, name: str, kind: str, expected: str
) -> None:
    PIL.Image.fromarray(pixels).save(tmp_path / name, kind, quality=95)
    assert hyperacuity.upscale(tmp_path / name) == tmp_path / expected


def test_an_input_is_never_overwritten(pixels: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.fromarray(pixels).save(path)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    for output in (path, tmp_path / "link.png"):
        with pytest.raises(UsageError, match="is the input"):
            hyperacuity.upscale(path, output=output, force=True)
    assert path.read_bytes() == before


def test_arrays_of_any_memory_layout_work(pixels: Any) -> None:
    expected = hyperacuity.upscale(pixels)
    assert np.array_equal(hyperacuity.upscale(np.asfortranarray(pixels)), expected)
    assert np.array_equal(hyperacuity.upscale(pixels[::-1].copy()[::-1]), expected)
    deep = pixels.astype(np.uint16) * 257
    foreign = hyperacuity.upscale(deep.astype(">u2"))
    assert foreign.dtype == np.dtype(">u2")
    assert np.array_equal(foreign, hyperacuity.upscale(deep))
    assert type(hyperacuity.upscale(np.ma.masked_array(pixels, False))) is np.ndarray
    clean = hyperacuity.upscale(pixels, model="acute-100k")
    assert np.array_equal(hyperacuity.load().array(pixels, 2), clean)


def test_running_out_of_memory_is_one_sentence(pixels: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise MemoryError

    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    monkeypatch.setattr(hyperacuity.Upscaler, "stream", none)
    for x in (pixels, tmp_path / "a.png"):
        with pytest.raises(hyperacuity.OutOfMemory, match="close other programs"):
            hyperacuity.upscale(x)
    assert not (tmp_path / "a-x2.png").exists()


def test_models_that_cannot_run_raise_when_loaded() -> None:
    with pytest.raises(UsageError, match="no engine"):
        hyperacuity.load(engine="onnx")
    with pytest.raises(UsageError, match="no device"):
        hyperacuity.load(device="tpu")


def test_the_default_model_beats_bicubic(shared: Path) -> None:
    picture = np.asarray(PIL.Image.open(shared / "data/validation/Kodak24/kodim19.png"))
    small = resize(picture, scale=0.5)

    def error(result: Any) -> float:
        return float(np.mean((result[8:-8, 8:-8].astype(float) - picture[8:-8, 8:-8]) ** 2))

    assert error(hyperacuity.upscale(small)) < 0.9 * error(hyperacuity.upscale(small, model="bicubic"))


def test_classical_models_are_the_reference_resamplers(pixels: Any) -> None:
    exact = resize(pixels.astype(np.float64), scale=2.5)
    result = hyperacuity.upscale(pixels, 2.5, model="bicubic")
    assert np.abs(result - exact.clip(0, 255)).max() <= 0.5 + 1e-4
    lanczos = hyperacuity.upscale(pixels, 2.5, model="lanczos")
    assert np.abs(lanczos - resize(pixels.astype(np.float64), scale=2.5, kernel="lanczos").clip(0, 255)).max() <= 0.5001


def test_a_smaller_size_is_a_resize_and_the_same_size_a_copy(pixels: Any) -> None:
    assert np.array_equal(hyperacuity.upscale(pixels, 1), pixels)
    half = hyperacuity.upscale(pixels, 0.5)
    assert np.abs(half - resize(pixels.astype(np.float64), scale=0.5).clip(0, 255)).max() <= 0.5 + 1e-4


def test_a_dirty_image_is_cleaned_at_its_own_size_and_copied_by_a_model_for_clean_ones(
    pixels: Any, tmp_path: Path
) -> None:
    PIL.Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=30)
    with PIL.Image.open(tmp_path / "a.jpg") as image:
        before = np.asarray(image)
    results = []
    for model in (None, "acute-100k"):
        path = hyperacuity.upscale(tmp_path / "a.jpg", 1, model=model, output=tmp_path / f"{model}.png")
        with PIL.Image.open(path) as image:
            results.append(np.asarray(image))
    assert 0.5 < np.abs(results[0].astype(int) - before).mean() < 20
    assert np.array_equal(results[1], before)


def test_tiles_are_invisible(pixels: Any) -> None:
    whole = hyperacuity.upscale(pixels, 4, tile=0)
    for tile in (7, 16, 31):
        assert np.array_equal(hyperacuity.upscale(pixels, 4, tile=tile), whole)


def test_an_upscaler_serves_many_threads_and_opens_each_network_once(pixels: Any, monkeypatch: Any) -> None:
    opened = []
    original = engines.open

    def counting(*arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(engines, "open", counting)
    expected = hyperacuity.load("fsrcnn").array(pixels, Size(2))
    opened.clear()
    upscaler = hyperacuity.load("fsrcnn")
    barrier = threading.Barrier(4)

    def one(_: int) -> Any:
        barrier.wait()
        return upscaler.array(pixels, Size(2))

    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(one, range(4)):
            assert np.array_equal(result, expected)
    assert len(opened) == 1


def test_mistakes_are_named(pixels: Any) -> None:
    with pytest.raises(UnknownModel, match="Did you mean"):
        hyperacuity.upscale(pixels, model="fsrcn")
    with pytest.raises(UsageError, match="positive"):
        hyperacuity.upscale(pixels, 0)
    with pytest.raises(UsageError, match="one of"):
        hyperacuity.upscale(pixels, 2, width=3)
    with pytest.raises(UsageError, match="uint8"):
        hyperacuity.upscale(pixels.astype(np.float64))
    with pytest.raises(UsageError, match="shape"):
        hyperacuity.upscale(pixels[None])
    with pytest.raises(UsageError, match="shape"):
        hyperacuity.upscale(pixels[:0])
    with pytest.raises(UsageError, match="a path, bytes"):
        hyperacuity.upscale(3)  # type: ignore[type-var]
    with pytest.raises(UsageError, match="tile"):
        hyperacuity.upscale(pixels, tile=-1)


def test_models_are_listed_with_their_cards() -> None:
    cards = hyperacuity.models()
    assert {"fsrcnn-x2", "bicubic", "lanczos"} <= set(cards)
    assert cards["fsrcnn-x2"].scale == 2
