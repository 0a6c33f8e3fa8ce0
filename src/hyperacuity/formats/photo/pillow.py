"""Decoding with Pillow, for files that libvips' wheel cannot decode: BMP, JPEG 2000, GIF, and some kinds of TIFF."""

from __future__ import annotations

import ctypes
import functools
import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.source import Contents
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.image import Array, Image, Metadata

_PILLOW = threading.RLock()
Found = TypeVar("Found")


@contextmanager
def opened(plugin: Any, raw: Bytes) -> Iterator[Any]:
    """Open a file with one of Pillow's decoders, given by its class: `Image.open` would try every decoder."""
    with guarded(), io.BytesIO(bytes(raw)) as file, plugin(file) as image:
        yield image


def read_header(path: Path, read: Callable[[Any], Found]) -> Found | None:
    """Return what `read` finds in a file that Pillow opens, whatever its number of pixels; None for all other files.

    Nothing is decoded, as long as `read` asks for no pixels.
    """
    import PIL.Image

    with _PILLOW:
        # Pillow's own limit would hide how many pixels there are.
        kept, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            with suppress(Exception), PIL.Image.open(path) as image:
                return read(image)
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = kept
    return None


@contextmanager
def guarded() -> Iterator[None]:
    """Turn any exception of Pillow's into our errors, suppress its warnings, and replace its pixel limit by ours.

    Filters and limit are global to the process: only one thread at a time enters, and no frame is yielded inside.
    """
    import PIL.Image

    _silence_libtiff()
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        except (HyperacuityError, MemoryError):
            raise
        except Exception as error:  # decoders of untrusted bytes raise anything from KeyError to SyntaxError
            text = str(error).rstrip(".") or type(error).__name__
            if text.startswith("decoder error"):  # a number
                text = "its pixels cannot be decoded"
            # Pillow raises one type of error for what is unsupported and for what is damaged.
            if text.startswith("Unsupported"):
                raise UnsupportedFormat(f"its kind is not read ({text}); convert it to PNG or TIFF first") from error
            raise DamagedFile(text) from error
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


@functools.cache
def _silence_libtiff() -> None:
    """Keep errors off the terminal that the libtiff in Pillow prints; what matters also reaches us as an exception."""
    from PIL import _imaging

    # A library that is linked statically hides the function.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def pixels_of(image: Any) -> tuple[Array, bool]:
    """Return a Pillow image as (H, W, C), and whether the last channel is alpha.

    Raises:
        UnsupportedFormat: For a mode that cannot be converted without loss.
    """
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
        raise UnsupportedFormat(f"its pixels are of Pillow's mode {mode}, which cannot be read without loss")
    pixels = np.asarray(image)
    if pixels.dtype.kind == "u":
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return pixels if pixels.ndim == 3 else pixels[..., None], image.mode in ("LA", "RGBA")


def metadata_of(info: dict[Any, Any]) -> Metadata:
    """Return the metadata in the `info` of a Pillow image."""
    dpi, exif, xmp = info.get("dpi"), info.get("exif"), info.get("xmp")
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=meta.unprefixed(exif) if exif else None,
        xmp=xmp if isinstance(xmp, bytes) else None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and dpi[0] and dpi[1] else None,
    )


def still(
    plugin: Any, raw: Bytes, lossless: bool, metadata: Metadata, levels: tuple[float, float] | None = None
) -> Contents:
    """Return the contents of a file of one image.

    Args:
        plugin: Pillow's class for files of this format.
        raw: The file.
        lossless: Whether its pixels are exact.
        metadata: Everything that it says besides them.
        levels: Black and white, by default those of the type.
    """

    def decode() -> Iterator[Image]:
        with opened(plugin, raw) as image:
            image.load()
            pixels, alpha = pixels_of(image)
        yield upright_image(pixels, alpha, metadata, levels=levels)

    with opened(plugin, raw) as head:
        check_size(*head.size)
    return Contents(1, None, lossless, decode)
