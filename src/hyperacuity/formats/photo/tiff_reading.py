"""How a TIFF page is decoded: by libvips, by its samples, or by Pillow, and which pages cannot be read.

libvips reads most. Its wheel lacks ZSTD, and it refuses 64-bit floats, tiles of separate planes, 9 to 15 bits and Lab.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import pillow, tiff_meaning, vips
from hyperacuity.formats.photo.tiff_codecs import CODECS
from hyperacuity.formats.photo.tiff_pages import TiffPage, orientation_of
from hyperacuity.formats.photo.tiff_samples import ZSTD, samples
from hyperacuity.formats.photo.tiff_tags import Directory, Tiff
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.image import Array, Image, Metadata

_OLD_JPEG, _LZMA = 6, 34925
# Compressions that libvips undoes, and what others are called.
_BY_VIPS = frozenset({1, 2, 3, 4, 5, 7, 8, 32771, 32773, 32946, 34676, 34677, 50001})
_BY_SAMPLES = frozenset({ZSTD, _LZMA, *CODECS})
_NAMES = {
    9: "JBIG",
    10: "JBIG",
    32766: "NeXT's RLE",
    32809: "ThunderScan",
    32908: "Pixar's",
    32909: "Pixar's",
    33003: "JPEG 2000 (Aperio)",
    33004: "JPEG 2000 (Aperio)",
    33005: "JPEG 2000 (Aperio)",
    34661: "JBIG",
    34892: "JPEG (lossy DNG)",
    34933: "PNG",
    22610: "JPEG XR",
    34934: "JPEG XR",
    52546: "JPEG XL (DNG)",
}
# The unspecified type, 4, is read as unsigned.
_KINDS = {2: "signed {bits}-bit integers", 5: "complex integers", 6: "complex numbers"}
_CIELAB, _ICCLAB = 8, 9
# Grey, RGB, palettes, masks, inks, YCbCr, Lab, LogL and LogLuv.
_COLOURS = frozenset({*range(7), _CIELAB, _ICCLAB, 32844, 32845})
_SAVE_PLAINLY = "save it as grey or RGB without compression or with deflate first, such as with GDAL or ImageMagick"
# libvips walks through all directories before a page: a thousand pages of 64 × 64 take a minute, by samples a second.
_FAR = 16
# How libvips and libtiff report what they do not decode, which is no damage.
_LACKING = re.compile(r"not (configured|implemented|supported|SGI)|unsupported|sorry|can ?not handle", re.IGNORECASE)


def check_readable(tiff: Tiff, page: Directory) -> None:
    """Refuse a page that nothing decodes.

    Raises:
        UnsupportedFormat: It states what the page is, and what to do.
    """
    compression = tiff.integer(page, 259, 1)
    if compression not in _BY_VIPS | _BY_SAMPLES | {_OLD_JPEG}:
        name = _NAMES.get(compression, f"compression {compression}")
        raise UnsupportedFormat(f"its pixels are compressed with {name}, which is not read; {_SAVE_PLAINLY}")
    bits, kind = max(tiff.integers(page, 258) or (1,)), tiff.integer(page, 339, 1)
    if kind in _KINDS or (kind in (1, 4) and bits > 16):
        what = _KINDS.get(kind, "{bits}-bit integers").format(bits=bits)
        raise UnsupportedFormat(
            f"its pixels are {what}, which do not define black and white; convert them to unsigned 8 or 16 bits, or "
            "to floats from 0 to 1, first"
        )
    if kind == 3 and bits not in (16, 32, 64):
        raise UnsupportedFormat(f"its pixels are {bits}-bit floats, which are not read; convert them to 32 bits first")
    colours = tiff.integer(page, 262, 1)
    if colours not in _COLOURS:
        raise UnsupportedFormat(f"its colours are of the kind {colours}, which is not read; {_SAVE_PLAINLY}")
    if tiff.integer(page, 32997, 1) > 1:
        raise UnsupportedFormat("it is a volume, not an image; save its planes as pages first")
    channels = tiff.integer(page, 277, 1)
    # A page that announces thousands of channels is damaged, as its decoder finds.
    if 4 < channels < 5000 and not (tiff.integer(page, 262, 1) == 5 and channels == 5):
        raise UnsupportedFormat(
            f"it has {channels} channels; grey and RGB are read, each with or without alpha: save the channels as "
            "pages, or as separate files, first"
        )


def decoded(raw: Bytes, tiff: Tiff, page: TiffPage, metadata: Metadata) -> Image:
    """Decode a page.

    Args:
        raw: The file.
        tiff: The same.
        page: One of its pages that `check_readable` accepts.
        metadata: What it holds besides its pixels and the EXIF block.
    """
    tags = page.tags
    depth = max(tiff.integers(tags, 258) or (1,))
    levels: tuple[float, float] | None = None
    turn = orientation_of(tiff, tags)
    if page.number is not None and _by_pillow(tiff, tags):
        pixels, alpha = _page_by_pillow(raw, page.number)
        turn = 1  # Pillow turns pages while it decodes them
    elif page.number is None or _by_samples(tiff, tags) or (page.number >= _FAR and _is_plain(tiff, tags)):
        pixels, alpha = _page_by_samples(tiff, tags)
        if 8 < depth < 16:
            levels = 0, (1 << depth) - 1
    else:
        pixels, alpha = _page_by_vips(raw, tiff, page)
    if alpha and _is_unspecified(tiff, tags):
        warnings.warn(LossWarning("the file does not state what its last channel is; it is left out"), stacklevel=2)
        pixels, alpha = pixels[..., :-1], False
    metadata = replace(metadata, exif=_exif(tiff, tags))
    return upright_image(pixels, alpha, metadata, orientation=turn, levels=levels)


def reads_in_parts(tiff: Tiff, page: TiffPage) -> bool:
    """Returns whether `decoded_rows` reads a page: one that is stored upright, as most programs write it."""
    return page.number is not None and _is_plain(tiff, page.tags) and orientation_of(tiff, page.tags) == 1


def decoded_rows(tiff: Tiff, tags: Directory, first: int, last: int) -> tuple[Array, bool]:
    """Decode rows [first, last) of a page from the strips or tiles that hold them; see `reads_in_parts`.

    Returns:
        (last - first, W, C), and whether the last channel is alpha.
    """
    pixels, alpha = _page_by_samples(tiff, tags, (first, last))
    return (pixels[..., :-1], False) if alpha and _is_unspecified(tiff, tags) else (pixels, alpha)


def _is_unspecified(tiff: Tiff, tags: Directory) -> bool:
    """Whether a page does not state what its last channel is."""
    return tiff.integers(tags, 338)[:1] == (0,) and tiff.integer(tags, 262, 1) != 5


def _exif(tiff: Tiff, tags: Directory) -> bytes | None:
    # Descriptions that programs read are kept for TIFF alone, where they are changed with the size.
    described = tiff_meaning.program_of(tags) is not None
    try:
        return meta.from_page(tiff, {tag: entry for tag, entry in tags.items() if tag != 270 or not described})
    except DamagedFile as error:
        warnings.warn(LossWarning(f"the EXIF block is damaged and is left out: {error}"), stacklevel=2)
        return None


def _by_pillow(tiff: Tiff, tags: Directory) -> bool:
    """Whether Pillow decodes a page: old JPEG, and Lab with 8 bits."""
    bits = tiff.integers(tags, 258) or (1,)
    lab = tiff.integer(tags, 262, 1) == _CIELAB and bits[0] == 8 and tiff.integer(tags, 259, 1) not in _BY_SAMPLES
    return lab or tiff.integer(tags, 259, 1) == _OLD_JPEG


def _by_samples(tiff: Tiff, tags: Directory) -> bool:
    """Whether libvips refuses a page that the decoder of samples reads."""
    bits = tiff.integers(tags, 258) or (1,)
    compression = tiff.integer(tags, 259, 1)
    separate_tiles = 324 in tags and tiff.integer(tags, 284, 1) == 2
    return (
        compression in _BY_SAMPLES
        or (separate_tiles and compression != 7)
        or 262 not in tags
        or tiff.integer(tags, 262, 1) in (_CIELAB, _ICCLAB)
        or bits[0] not in (1, 2, 4, 8, 16, 32)
    )


def _is_plain(tiff: Tiff, tags: Directory) -> bool:
    """Whether the decoder of samples is as fast as libvips."""
    plain = tiff.integer(tags, 259, 1) in (1, 8, 32946) and tiff.integer(tags, 262, 1) in (0, 1, 2)
    # Alpha that colours are multiplied with is divided out as libvips rounds it.
    return plain and max(tiff.integers(tags, 258) or (1,)) in (8, 16, 32) and tiff.integer(tags, 338, 0) != 1


def _page_by_vips(raw: Bytes, tiff: Tiff, page: TiffPage) -> tuple[Array, bool]:
    """The pixels of a page, and whether they have alpha; from the other decoder where libvips lacks something."""
    import pyvips

    try:
        return vips.pixels_of(vips.loaded("tiffload_source", raw, page=page.number, fail_on="error"))
    except pyvips.Error as error:
        if not _LACKING.search(str(error)):
            raise
        reason = vips.reason(error)
    try:
        return _page_by_samples(tiff, page.tags)
    except (DamagedFile, UnsupportedFormat) as error:
        raise UnsupportedFormat(f"{reason}; {_SAVE_PLAINLY}") from error


def _page_by_pillow(raw: Bytes, number: int) -> tuple[Array, bool]:
    """The pixels of a page, already upright, and whether they have alpha."""
    from PIL import TiffImagePlugin

    with pillow.opened(TiffImagePlugin.TiffImageFile, raw) as image:
        try:
            image.seek(number)
        except SyntaxError as error:  # Pillow's "unknown pixel mode"
            raise UnsupportedFormat(f"its pixels are stored in a way that is not read; {_SAVE_PLAINLY}") from error
        return pillow.pixels_of(image)


def _page_by_samples(tiff: Tiff, tags: Directory, rows: tuple[int, int] | None = None) -> tuple[Array, bool]:
    """The pixels of a page, or of some of its rows, and whether they have alpha."""
    values = samples(tiff, tags, rows)
    bits = max(tiff.integers(tags, 258) or (1,))
    kind = tiff.integer(tags, 262, 2 if values.shape[2] >= 3 else 1)
    if values.dtype.kind == "f":
        if values.dtype == np.float64:
            _warn_of_rounding(values)
        values = values.astype(np.float32)
    if kind == 3:
        return _coloured(tiff, tags, values[..., 0]), False
    if kind == 5 or kind in (_CIELAB, _ICCLAB):
        return vips.pixels_of(_as_srgb(values, kind, tags))
    if kind not in (0, 1, 2):
        raise UnsupportedFormat(f"its colours are not read in this compression; {_SAVE_PLAINLY}")
    if bits < 8:
        values = (values.astype(np.uint16) * 255 // ((1 << bits) - 1)).astype(np.uint8)
    if kind == 0 and values.dtype.kind == "u":
        values = (255 if bits <= 8 else (1 << bits) - 1) - values
    colours = 3 if values.shape[2] >= 3 else 1
    alpha = values.shape[2] > colours
    if alpha and tiff.integers(tags, 338)[:1] == (1,):
        values = _straight(values, 1.0 if values.dtype.kind == "f" else float((1 << max(bits, 8)) - 1))
    return values, alpha


def _warn_of_rounding(values: Array) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        exact = np.array_equal(values.astype(np.float32), values, equal_nan=True)
    if not exact:
        warnings.warn(LossWarning("its 64-bit floats were rounded to 32 bits"), stacklevel=2)


def _coloured(tiff: Tiff, tags: Directory, indices: Array) -> Array:
    """Colours of a palette."""
    table = np.array(tiff.integers(tags, 320), np.uint16)
    count = len(table) // 3
    if not count or (indices.size and int(indices.max()) >= count):
        raise DamagedFile("its palette has fewer colours than its pixels name")
    table = table.reshape(3, count).T
    if (table == table[:, :1]).all():
        table = table[:, :1]  # shades of grey, which libvips reads as one channel too
    if indices.dtype == np.uint8:
        # Some programs write colours of 8 bits where 16 belong.
        table = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
    return np.ascontiguousarray(table[indices])


def _straight(values: Array, white: float) -> Array:
    """Colours divided by their alpha, with which they are stored multiplied."""
    alpha = values[..., -1:].astype(np.float64)
    colours = np.divide(values[..., :-1] * white, alpha, out=np.zeros(values[..., :-1].shape), where=alpha > 0)
    if values.dtype.kind == "u":
        colours = np.clip(np.floor(colours + 0.5), 0, white)
    return np.concatenate([colours.astype(values.dtype), values[..., -1:]], axis=2)


def _as_srgb(values: Array, kind: int, tags: Directory) -> Any:
    """An image of libvips whose pixels `vips.pixels_of` converts: inks, or Lab as sRGB."""
    import pyvips

    if kind == 5:
        image = pyvips.Image.new_from_memory(
            np.ascontiguousarray(values).tobytes(),
            values.shape[1],
            values.shape[0],
            values.shape[2],
            {1: "uchar", 2: "ushort"}.get(values.dtype.itemsize, "float"),
        ).copy(interpretation="cmyk")
        if 34675 in tags:
            vips.set_blob(image, "icc-profile-data", tags[34675].raw)
        return image
    depth = 8 * values.dtype.itemsize
    lab = values[..., :3].astype(np.float32)
    lab[..., 0] *= 100 / ((1 << depth) - 1)
    unit = 1 << depth - 8
    if kind == _ICCLAB:
        lab[..., 1:] = lab[..., 1:] / unit - 128
    else:  # signed numbers
        signed = np.ascontiguousarray(values[..., 1:3]).view(np.int8 if depth == 8 else np.int16)
        lab[..., 1:] = signed.astype(np.float32) / unit
    image = pyvips.Image.new_from_memory(lab.tobytes(), lab.shape[1], lab.shape[0], 3, "float")
    space, kept = ("rgb16", "ushort") if depth == 16 else ("srgb", "uchar")
    return image.copy(interpretation="lab").colourspace(space).cast(kept)
