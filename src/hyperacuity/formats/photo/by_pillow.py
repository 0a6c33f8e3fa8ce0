"""BMP, GIF, JPEG 2000 and some TIFF, which Pillow decodes: libvips' wheel has no loader for BMP and JPEG 2000.

GIF: of Pillow's own 37 odd test files libvips refused one and laid the frames of two others on a background that no
browser shows. TIFF: Lab, 12 bits, LZMA, old JPEG and tiles of separate planes, which libvips refuses.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.decoding import Bytes, Contents, assembled, check_size
from hyperacuity.image import Array, Image, Metadata

_PILLOW = threading.RLock()


@contextmanager
def opened(plugin: Any, raw: Bytes) -> Iterator[Any]:
    """A file opened with one of Pillow's decoders, which is called by itself: `Image.open` would try them all."""
    with guarded(), io.BytesIO(bytes(raw)) as file, plugin(file) as image:
        yield image


@contextmanager
def guarded() -> Iterator[None]:
    """Turn whatever Pillow raises into our errors, keep its warnings back, and let our limit of pixels hold, not its.

    Filters and limit are global to the process: so one thread at a time, and never across the `yield` of a frame.
    """
    import PIL.Image

    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        except (HyperacuityError, MemoryError):
            raise
        except Exception as error:  # a decoder of untrusted bytes, which raises anything from KeyError to SyntaxError
            said = str(error).rstrip(".") or type(error).__name__
            # Pillow has one type of error for what it does not know and for what is broken.
            raise (UnsupportedFormat if said.startswith("Unsupported") else DamagedFile)(said) from error
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


def from_pillow(image: Any) -> tuple[Array, bool]:
    """A Pillow image as (H, W, C) and whether the last channel is alpha."""
    mode = image.mode
    if mode in ("P", "PA") or "transparency" in image.info:
        has_alpha = mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if has_alpha else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode == "LAB":
        from PIL import ImageCms

        lab, srgb = (ImageCms.createProfile(name) for name in ("LAB", "sRGB"))
        image = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, srgb, "LAB", "RGB"))
    elif mode in ("RGBa", "La", "RGBX", "YCbCr"):
        image = image.convert({"RGBa": "RGBA", "La": "LA"}.get(mode, "RGB"))
    elif not mode.startswith("I;16") and mode not in ("L", "LA", "RGB", "RGBA", "F"):
        raise UnsupportedFormat(f"its pixels are of Pillow's kind {mode}, which cannot be read without loss")
    pixels = np.asarray(image)
    if pixels.dtype.kind == "u":
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return pixels if pixels.ndim == 3 else pixels[..., None], image.mode in ("LA", "RGBA")


def _pillow_metadata(info: dict[Any, Any]) -> Metadata:
    dpi, exif, xmp = info.get("dpi"), info.get("exif"), info.get("xmp")
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=meta.unprefixed(exif) if exif else None,
        xmp=xmp if isinstance(xmp, bytes) else None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and dpi[0] and dpi[1] else None,
    )


def bmp_contents(raw: Bytes) -> Contents:
    from PIL import BmpImagePlugin

    header = struct.unpack("<I", raw[14:18])[0] if len(raw) >= 18 else 40  # 12 in those of OS/2
    if len(raw) < 14 + min(header, 40):
        raise DamagedFile("it is cut short inside its header")
    start, size = struct.unpack("<I", raw[10:14])[0], struct.unpack("<I", raw[34:38])[0] if header >= 40 else 0
    if header >= 40 and struct.unpack("<I", raw[30:34])[0] in (1, 2) and start + size > len(raw):
        # Pillow fills the missing end of run lengths with black.
        raise DamagedFile(f"it is cut short: {len(raw)} of {start + size} bytes are there")
    return _single(BmpImagePlugin.BmpImageFile, raw, True)


def jp2_contents(raw: Bytes) -> Contents:
    from PIL import Jpeg2KImagePlugin

    # The marker that holds the size, in the box or at the start.
    at = raw.find(b"\xff\x4f\xff\x51") + 2
    if at == 1 or len(raw) < at + 41:
        raise DamagedFile("it holds no JPEG 2000 codestream")
    channels, depth = struct.unpack(">HB", raw[at + 38 : at + 41])
    bits = (depth & 127) + 1
    if depth & 128 or bits > 16 or (bits > 8 and channels > 1):
        sign = "signed " if depth & 128 else ""
        raise UnsupportedFormat(f"its {channels} channels of {sign}{bits} bits cannot be read without loss")
    # Pillow shifts 9 to 15 bits to the top of 16.
    levels = (0, ((1 << bits) - 1) << (16 - bits)) if bits > 8 else None
    return _single(Jpeg2KImagePlugin.Jpeg2KImageFile, raw, False, levels)


def _single(plugin: Any, raw: Bytes, lossless: bool, levels: tuple[float, float] | None = None) -> Contents:
    def decode() -> Iterator[Image]:
        with opened(plugin, raw) as image:
            image.load()
            pixels, alpha = from_pillow(image)
            metadata = _pillow_metadata(image.info)
        yield assembled(pixels, alpha, metadata, levels=levels)

    with opened(plugin, raw) as head:
        check_size(*head.size)
    return Contents(1, None, lossless, decode)


def gif_contents(raw: Bytes) -> Contents:
    from PIL import GifImagePlugin

    if len(raw) < 13:
        raise DamagedFile("it is cut short inside its header")
    check_size(*struct.unpack("<HH", raw[6:10]))
    count, transparent = _gif_images(raw)
    with opened(GifImagePlugin.GifImageFile, raw) as head:
        # The file tells how often it plays again after the first time; without it, it plays once.
        repeats = head.info.get("loop")
        loop = 1 if repeats is None else repeats + 1 if repeats else 0

    def decode() -> Iterator[Image]:
        with io.BytesIO(bytes(raw)) as file:
            with guarded():
                image = GifImagePlugin.GifImageFile(file)
            width, height = image.size
            for index in range(count):
                with guarded():
                    image.seek(index)
                    image.load()
                    # A later frame may reach beyond the canvas, which is where viewers cut it.
                    frame = image if image.size == (width, height) else image.crop((0, 0, width, height))
                    # One kind for all frames, though Pillow changes it on the way.
                    pixels = np.asarray(frame.convert("RGBA" if transparent else "RGB"))
                    duration = image.info.get("duration", 0) / 1000
                yield Image.from_pixels(pixels, alpha=transparent, duration=duration if count > 1 else None)

    return Contents(count, loop if count > 1 else None, True, decode)


def _gif_images(raw: Bytes) -> tuple[int, bool]:
    """How many images a GIF holds, and whether any of them has transparent pixels.

    Pillow takes a missing end for the end; here it is `DamagedFile`.
    """
    images, transparent = 0, False
    try:
        at = 13 + _palette(raw[10])
        while raw[at] != 0x3B:
            if raw[at] == 0x2C:
                images += 1
                at += 10 + _palette(raw[at + 9]) + 1
            elif raw[at] == 0x21:
                transparent |= raw[at + 1] == 0xF9 and bool(raw[at + 3] & 1)
                at += 2
            else:
                raise DamagedFile(f"byte {at} starts no block that GIF knows")
            while raw[at]:
                at += raw[at] + 1
            at += 1
    except IndexError as error:
        raise DamagedFile("it is cut short: it ends before its end mark") from error
    if not images:
        raise DamagedFile("it holds no image")
    return images, transparent


def _palette(flags: int) -> int:
    """Bytes of the palette that these flags announce."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def tiff_page(raw: Bytes, number: int, bits: int) -> tuple[Array, bool, Metadata, tuple[float, float] | None]:
    """The pixels of a TIFF's page, already turned, whether they have alpha, what is beside them, and their levels."""
    from PIL import TiffImagePlugin

    with opened(TiffImagePlugin.TiffImageFile, raw) as image:
        image.seek(number)
        if bits > 8 and not image.mode.startswith(("I;16", "F")):
            raise UnsupportedFormat(f"its {bits} bits in this arrangement would be cut to 8; store it untiled first")
        pixels, alpha = from_pillow(image)
        metadata = _pillow_metadata(image.info)
    return pixels, alpha, metadata, (0, (1 << bits) - 1) if pixels.dtype == np.uint16 else None
