"""Generated images and files, and functions to write and read them, for the tests of the formats."""

from __future__ import annotations

import functools
import importlib.util
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from PIL import ImageCms

from hyperacuity import formats
from hyperacuity.formats.photo.tiff_tags import EXIF
from hyperacuity.image import Array, Image, Strips

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="1" exif:PixelXDimension="1"/></x:xmpmeta>'
MAKER_NOTE = b"Maker\0\1\2" * 9


def noise(channels: int = 3, dtype: Any = np.uint8, height: int = 21, width: int = 34, seed: int = 0) -> Array:
    """Random values of the whole range of a type."""
    values = np.random.default_rng(seed).random((height, width, channels))
    return values.astype(np.float32) if dtype == np.float32 else (values * np.iinfo(dtype).max + 0.5).astype(dtype)


def gradient(**options: Any) -> Image:
    """A smooth image, which lossy codecs hardly change."""
    height, width = options.get("height", 48), options.get("width", 64)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 / width, y * 255 / height, 128 + 0 * x], axis=2).astype(np.uint8)
    return Image.from_pixels(pixels, metadata=options.get("metadata"))


def exif_block(orientation: int = 1, order: str = "<") -> bytes:
    """An EXIF block with a maker's note, text that is not ASCII, GPS, and a size that is wrong."""
    block = PIL.Image.Exif()
    block.endian = order
    block[271] = "Åcme".encode().decode("latin-1")
    block[274] = orientation
    block[282], block[283], block[296] = 300.0, 300.0, 2
    block.get_ifd(EXIF)[36867] = "2020:01:01 00:00:00"
    block.get_ifd(EXIF)[37386] = 35.5
    block.get_ifd(EXIF)[37500] = MAKER_NOTE
    block.get_ifd(EXIF)[0xA002], block.get_ifd(EXIF)[0xA003] = 7, 9
    block.get_ifd(0x8825)[1] = "N"
    return block.tobytes().removeprefix(b"Exif\0\0")


def save(path: Path, *images: Image, like: Any = None, quality: int | None = None) -> None:
    """Write images into one file."""
    with formats.write(path, like, quality=quality) as sink:
        for image in images:
            sink.write(image.strips())


def load(data: Path | bytes) -> Image:
    """Read the only image of a file."""
    with formats.read(data) as source:
        (image,) = source
    return image


def saved(path: Path, image: Image, **options: Any) -> Image:
    """Write an image and read it again."""
    save(path, image, **options)
    return load(path)


def enlarge(source: Path | bytes, target: Path, scale: int = 2) -> list[str]:
    """Enlarge every image of a file by repeating its pixels, and return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with formats.read(source) as images, formats.write(target, images) as sink:
            for image in images:
                header = image.header.resized(image.header.height * scale, image.header.width * scale)
                sink.write(Strips(header, [image.pixels.repeat(scale, 0).repeat(scale, 1)]))
    return [str(warning.message) for warning in caught]


class Animated:
    """A source of which a sink needs only the number of frames, of an animation or of pages."""

    lossless = True

    def __init__(self, frames: int, loop: int | None, suffix: str = ".gif") -> None:
        self.frames, self.loop, self.suffix = frames, loop, suffix


def frames(channels: int = 4, count: int = 4, dtype: Any = np.uint8) -> list[Image]:
    """The frames of an animation, each shown longer than the one before."""
    made = []
    for index in range(count):
        pixels = noise(channels, dtype, 17, 23, seed=index)
        if channels == 4:
            pixels[: index + 1, :, 3] = 0
        made.append(Image.from_pixels(pixels, alpha=channels == 4, duration=(index + 1) / 20))
    return made


@functools.cache
def encoded(kind: str) -> bytes:
    """A file of one of `KINDS`, made by Pillow."""
    file = io.BytesIO()
    picture = PIL.Image.fromarray(gradient().pixels)
    options: dict[str, Any] = {"GIF": {"save_all": True, "append_images": [picture.rotate(90)]}}.get(kind, {})
    if kind == "APNG":
        kind, options = "PNG", {"save_all": True, "append_images": [picture.rotate(90)]}
    if kind == "TIFF":
        options = {"compression": "tiff_adobe_deflate"}
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(picture).save(file)
        return file.getvalue()
    if kind == "JXL":
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(np.asarray(picture)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture.save(file, kind, **options)
    return file.getvalue()


KINDS = ["PNG", "APNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "PPM", "JPEG2000"]
KINDS += ["HEIF"] if importlib.util.find_spec("pillow_heif") else []
KINDS += ["JXL"] if importlib.util.find_spec("imagecodecs") else []
