"""Images made for tests: a sharp photo-like one, and faults added to it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import PIL.ImageFont
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def photo(height: int = 384, width: int = 512, seed: int = 0) -> Pixels:
    """Overlapping shaded discs: sharp edges as dead leaves give them, and smooth surfaces, as photos have."""
    rng = np.random.default_rng(seed)
    large = np.zeros((2 * height, 2 * width, 3), np.float32)
    y, x = np.mgrid[: 2 * height, : 2 * width].astype(np.float32)
    for _ in range(120):
        radius = 12 * (1 - rng.random()) ** -0.7
        row, column = rng.random() * 2 * height, rng.random() * 2 * width
        inside = np.hypot(y - row, x - column) < radius
        colour = rng.integers(30, 220, 3)
        slope = rng.normal(size=2) * 0.08
        shade = slope[0] * (y[inside] - row) + slope[1] * (x[inside] - column)
        large[inside] = (colour + shade[:, None]).clip(20, 235)
    small = large.reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    return np.asarray(np.rint(small), np.uint8)


def noisy(pixels: Pixels, deviation: float, seed: int = 1) -> Pixels:
    noise = np.random.default_rng(seed).normal(size=(*pixels.shape[:2], 1)) * deviation
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def jpeg(pixels: Pixels, quality: int, **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def webp(pixels: Pixels, **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "WEBP", **options)
    return file.getvalue()


def decoded(data: bytes) -> Pixels:
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def h264(frames: list[Pixels], crf: int, path: Path) -> list[Pixels]:
    """Frames of even sides as a decoder shows them."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def blurred(pixels: Pixels, radius: float) -> Pixels:
    return np.asarray(PIL.Image.fromarray(pixels).filter(PIL.ImageFilter.GaussianBlur(radius)))


def enlarged(pixels: Pixels, factor: float) -> Pixels:
    height, width = pixels.shape[:2]
    image = PIL.Image.fromarray(pixels)
    small = image.resize((round(width / factor), round(height / factor)), PIL.Image.Resampling.BICUBIC)
    return np.asarray(small.resize((width, height), PIL.Image.Resampling.BICUBIC))


def resized(pixels: Pixels, factor: float) -> Pixels:
    size = [round(side * factor) for side in pixels.shape[1::-1]]
    return np.asarray(PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.BICUBIC))


def screenshot() -> Pixels:
    image = PIL.Image.new("RGB", (640, 480), "white")
    draw = PIL.ImageDraw.Draw(image)
    for line in range(28):
        text = "The quick brown fox jumps over the lazy dog 0123456789 " * 2
        draw.text((10, 8 + 16 * line), text, fill=(20, 20, 20), font=PIL.ImageFont.load_default(12))
    draw.rectangle((400, 0, 640, 64), fill=(30, 90, 200))
    return np.asarray(image)


def pixel_art(times: int) -> Pixels:
    rng = np.random.default_rng(2)
    palette = rng.integers(0, 256, (12, 3), dtype=np.uint8)
    return palette[rng.integers(0, 12, (48, 64))].repeat(times, axis=0).repeat(times, axis=1)


def line_art() -> Pixels:
    rng = np.random.default_rng(3)
    image = PIL.Image.new("L", (600, 400), 255)
    draw = PIL.ImageDraw.Draw(image)
    for _ in range(40):
        draw.line([(int(x), int(y)) for x, y in rng.integers(0, 400, (3, 2))], fill=0, width=2)
    return np.asarray(image.resize((300, 200), PIL.Image.Resampling.LANCZOS))


def portrait(pixels: Pixels) -> Pixels:
    """A sharp middle, a ninth of the image, before a blurred background."""
    height, width = pixels.shape[:2]
    result = blurred(pixels, 5).copy()
    middle = slice(height // 3, height * 2 // 3), slice(width // 3, width * 2 // 3)
    result[middle] = pixels[middle]
    return result


def moved(pixels: Pixels, length: int) -> Pixels:
    """Blurred along rows, as a camera that moves."""
    sums = sum(np.roll(pixels.astype(np.float32), shift, axis=1) for shift in range(length))
    return np.asarray(np.rint(sums / length), np.uint8)


def leaves(height: int = 160, width: int = 160) -> Pixels:
    """Detail at all scales in every place, as in a small image of trees."""
    rng = np.random.default_rng(4)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    spectrum = np.fft.rfft2(rng.normal(size=(height, width))) / np.maximum(frequency, 1 / height) ** 1.7
    plane = np.fft.irfft2(spectrum, s=(height, width))
    return np.asarray(np.clip(np.rint(110 + 35 * plane / plane.std()), 0, 255), np.uint8)


def drawing() -> Pixels:
    """Figures of one colour each, with smooth edges and a gradient behind them."""
    rng = np.random.default_rng(5)
    image = PIL.Image.fromarray(np.linspace(150, 220, 900, dtype=np.uint8)[:, None].repeat(1200, 1)).convert("RGB")
    draw = PIL.ImageDraw.Draw(image)
    for _ in range(30):
        x, y, side = (int(each) for each in rng.integers((0, 0, 60), (1200, 900, 400)))
        colour = tuple(int(each) for each in rng.integers(20, 240, 3))
        draw.ellipse((x - side, y - side / 2, x + side, y + side / 2), fill=colour, outline=(15, 15, 20), width=8)
    return np.asarray(image.resize((400, 300), PIL.Image.Resampling.BOX))


def icon() -> Pixels:
    image = PIL.Image.new("RGB", (256, 256), (200, 205, 210))
    draw = PIL.ImageDraw.Draw(image)
    draw.ellipse((10, 10, 246, 246), fill=(40, 90, 180))
    draw.polygon([(60, 200), (128, 50), (200, 200)], fill=(230, 180, 60))
    draw.line([(40, 128), (220, 100)], fill=(30, 30, 30), width=24)
    return np.asarray(image.resize((32, 32), PIL.Image.Resampling.BOX))


def cut_out(pixels: Pixels) -> Pixels:
    """An object on a white ground, as in a catalogue: most of the image is flat."""
    height, width = pixels.shape[:2]
    whole = np.full((2 * height, 2 * width, 3), 255, np.uint8)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    middle = slice(height // 2, height // 2 + height), slice(width // 2, width // 2 + width)
    whole[middle] = np.where((np.hypot(y, x) < 1)[..., None], pixels, 255)
    return whole


def gravel(height: int = 160, width: int = 160) -> Pixels:
    """Small stones with light and shadow, as sharp as pixels allow: fine texture in every place."""
    rng = np.random.default_rng(6)
    plane = np.full((2 * height, 2 * width), 90.0)
    y, x = np.mgrid[: 2 * height, : 2 * width]
    for row, column in rng.integers(0, (2 * height, 2 * width), (6000, 2)):
        near = slice(max(0, row - 6), row + 7), slice(max(0, column - 6), column + 7)
        inside = np.hypot(y[near] - row, x[near] - column) < rng.uniform(1, 5)
        plane[near][inside] = rng.uniform(60, 120) + 6 * (row - y[near][inside])
    small = plane.reshape(height, 2, width, 2).mean(axis=(1, 3))
    return np.asarray(np.clip(np.rint(small), 0, 255), np.uint8)
