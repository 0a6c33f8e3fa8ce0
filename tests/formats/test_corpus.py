"""Odd files, mostly Pillow's own tests: each is either read completely or refused with a reason."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ImageOps

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat
from hyperacuity.image import Image

READ = 687
# The files that are refused, each with a part of the reason.
REFUSED: dict[str, tuple[type[HyperacuityError], str]] = {
    "pillow/00r0_gray_l.jp2": (DamagedFile, "broken data stream when reading image file"),
    "pillow/00r1_graya_la.jp2": (DamagedFile, "broken data stream when reading image file"),
    "pillow/16_bit_binary_pgm.tiff": (UnsupportedFormat, "its pixels are signed 32-bit integers, which"),
    "pillow/16bit.s.tif": (UnsupportedFormat, "its pixels are signed 16-bit integers, which"),
    "pillow/8bit.s.tif": (UnsupportedFormat, "its pixels are signed 8-bit integers, which"),
    "pillow/apng/chunk_multi_actl.png": (DamagedFile, "its animation is announced twice, or wrongly"),
    "pillow/apng/chunk_no_fctl.png": (DamagedFile, "it announces 1 frame and holds 0"),
    "pillow/apng/chunk_no_fdat.png": (DamagedFile, "it announces 2 frames and holds 1"),
    "pillow/apng/chunk_repeat_fctl.png": (DamagedFile, "part 1 of its animation is missing or in the"),
    "pillow/apng/fctl_actl.png": (DamagedFile, "part 0 of its animation is missing or in the"),
    "pillow/apng/sequence_fdat_fctl.png": (DamagedFile, "part 1 of its animation is missing or in the"),
    "pillow/apng/sequence_gap.png": (DamagedFile, "part 3 of its animation is missing or in the"),
    "pillow/apng/sequence_reorder.png": (DamagedFile, "part 3 of its animation is missing or in the"),
    "pillow/apng/sequence_reorder_chunk.png": (DamagedFile, "part 3 of its animation is missing or in the"),
    "pillow/apng/sequence_repeat.png": (DamagedFile, "part 3 of its animation is missing or in the"),
    "pillow/apng/sequence_repeat_chunk.png": (DamagedFile, "part 4 of its animation is missing or in the"),
    "pillow/apng/sequence_start.png": (DamagedFile, "part 0 of its animation is missing or in the"),
    "pillow/apng/syntax_num_frames_high.png": (DamagedFile, "it announces 3 frames and holds 2"),
    "pillow/apng/syntax_num_frames_invalid.png": (DamagedFile, "it announces 2147483649 frames and holds 1"),
    "pillow/apng/syntax_num_frames_low.png": (DamagedFile, "it announces 1 frame and holds 2"),
    "pillow/apng/syntax_num_frames_zero.png": (DamagedFile, "its pixels cannot be decoded"),
    "pillow/balloon_eciRGBv2_aware.jp2": (DamagedFile, "broken data stream when reading image file"),
    "pillow/bmp/b/badbitcount.bmp": (UnsupportedFormat, "Unsupported BMP pixel depth (30000)"),
    "pillow/bmp/b/badheadersize.bmp": (UnsupportedFormat, "Unsupported BMP header type (66)"),
    "pillow/bmp/b/badpalettesize.bmp": (UnsupportedFormat, "Unsupported BMP Palette size (305402420)"),
    "pillow/bmp/b/badwidth.bmp": (UnsupportedFormat, "it announces 4294967169 × 64 pixels, and mor"),
    "pillow/bmp/b/reallybig.bmp": (UnsupportedFormat, "it announces 3000000 × 2000000 pixels, and m"),
    "pillow/bmp/b/shortfile.bmp": (DamagedFile, "image file is truncated (3 bytes not process"),
    "pillow/bmp/q/pal2.bmp": (UnsupportedFormat, "Unsupported BMP pixel depth (2)"),
    "pillow/bmp/q/pal8os2v2-16.bmp": (UnsupportedFormat, "Unsupported BMP header type (16)"),
    "pillow/bmp/q/pal8oversizepal.bmp": (DamagedFile, "invalid palette size"),
    "pillow/bmp/q/rgb24jpeg.bmp": (UnsupportedFormat, "Unsupported BMP pixel depth (0)"),
    "pillow/bmp/q/rgb24png.bmp": (UnsupportedFormat, "Unsupported BMP pixel depth (0)"),
    "pillow/broken.png": (DamagedFile, "the checksum of its header is wrong"),
    "pillow/broken_data_stream.png": (DamagedFile, "it is cut short inside a chunk without a nam"),
    "pillow/expected_to_read.jp2": (DamagedFile, "Expected to read 8 bytes but only got 0"),
    "pillow/hopper_unknown_pixel_mode.tif": (UnsupportedFormat, "its pixels are 32-bit integers, which do not"),
    "pillow/invalid_header_length.jp2": (DamagedFile, "Invalid header length"),
    "pillow/l2rgb_read.bmp": (DamagedFile, "image file is truncated (0 bytes not process"),
    "pillow/libtiff_segfault.tif": (DamagedFile, "tiff2vips: samples out of range"),
    "pillow/negative_size.ppm": (UnsupportedFormat, "is text; what is read: PNG, JPEG, WebP, TIFF"),
    "pillow/not_enough_data.jp2": (DamagedFile, "Not enough data in header"),
    "pillow/oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": (
        DamagedFile,
        "its directory at byte 8 is longer than the f",
    ),
    "pillow/seek_too_large.tif": (DamagedFile, "it ends before byte 9295429630892703743, whi"),
    "pillow/separate_planar_extra_samples.tiff": (UnsupportedFormat, "its pixels are signed 8-bit integers, which"),
    "pillow/test_extents_transparency.gif": (DamagedFile, "byte 207 starts an unknown block"),
    "pillow/tiff_overflow_rows_per_strip.tif": (DamagedFile, "tiff2vips: Not enough data for scanline 0, e"),
    "pillow/truncated_end_chunk.png": (DamagedFile, "it is cut short inside its IDAT chunk"),
    "pillow/truncated_image.png": (DamagedFile, "it is cut short inside its IDAT chunk"),
    "pillow/ultrahdr.jpg": (DamagedFile, "VipsJpeg: premature end of JPEG image"),
    "pillow/unbound_variable.jp2": (DamagedFile, "it holds no JPEG 2000 codestream"),
    "pillow/zero_width.gif": (DamagedFile, "it announces 0 × 32 pixels"),
}
# Pillow's frames differ from the specifications, or are cut to 8 bits.
NOT_AS_PILLOW = {
    "pillow/apng/blend_op_over_near_transparent.png",  # Pillow rounds alpha down at each of 128 layers
    "pillow/apng/dispose_op_previous.png",
    "pillow/apng/dispose_op_previous_region.png",
    "pillow/apng/mode_grayscale_alpha.png",  # Pillow replaces where the file states "lay over"
    "pillow/apng/mode_palette_1bit_alpha.png",
    "pillow/avif/xmp_tags_orientation.avif",  # AVIF's own rotation is the only one (MIAF)
    "pillow/test_extents.gif",  # Pillow's canvas grows with the second frame
}


def files(shared: Path) -> list[Path]:
    root = shared / "data" / "formats"
    found = [path for folder in ("photo", "pillow") for path in sorted((root / folder).rglob("*")) if path.is_file()]
    if not found:
        pytest.skip("needs data/formats/photo and data/formats/pillow in ../shared")
    return found


def test_every_file_is_read_or_refused(shared: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = shared / "data" / "formats"
    read = 0
    refused = {}
    for path in files(shared):
        name = path.relative_to(root).as_posix()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", formats.LossWarning)
                with formats.read(path) as source:
                    images = list(source)
        except HyperacuityError as error:
            refused[name] = type(error), str(error)
            continue
        read += 1
        assert len(images) == source.frames, name
        for image in images:
            header = image.header
            assert image.pixels.shape == header.shape, name
            assert image.pixels.dtype == header.dtype, name
            assert header.dtype in (np.uint8, np.uint16, np.float32), name
            assert header.channels in (1, 2, 3, 4), name
            assert header.alpha == (header.channels in (2, 4)), name
    assert {name: kind for name, (kind, _) in refused.items()} == {name: kind for name, (kind, _) in REFUSED.items()}
    for name, (_, reason) in REFUSED.items():
        assert reason in refused[name][1], name
    assert read == READ
    assert capfd.readouterr() == ("", "")


def test_pixels_are_those_of_pillow(shared: Path) -> None:
    root = shared / "data" / "formats"
    exact = close = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files(shared):
            name = path.relative_to(root).as_posix()
            if name in REFUSED or name in NOT_AS_PILLOW:
                continue
            with formats.read(path) as source:
                images = list(source)
            difference = _difference(path, images)
            if difference is None:
                continue
            if source.suffix == ".avif":
                # Chroma is upsampled differently.
                assert difference < 1.5, name
                close += 1
            else:
                assert difference == 0, name
                exact += 1
    assert exact >= 644
    assert close >= 14


def _difference(path: Path, images: list[Image]) -> float | None:
    """The mean difference from what Pillow shows; None if Pillow cannot be compared."""
    try:
        with PIL.Image.open(path) as picture:
            skipped = int(getattr(picture, "default_image", False))
            moving = getattr(picture, "n_frames", 1) > 1
            total = 0.0
            for index, image in enumerate(images):
                if moving:
                    picture.seek(index + skipped)
                picture.load()
                shown = picture if moving else ImageOps.exif_transpose(picture)
                header = image.header
                deep = shown.mode in ("I", "F") or shown.mode.startswith("I;16")
                if shown.mode == "CMYK" or (header.dtype != np.uint8 and not deep) or (deep and header.alpha):
                    return None
                mode = shown.mode if deep else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[header.channels]
                expected = np.asarray(shown.convert(mode)).reshape(header.shape)
                if np.array_equal(image.pixels, expected):
                    continue
                expected, pixels = expected.astype(float), image.pixels.astype(float)
                if header.alpha:
                    # Invisible pixels may differ.
                    visible = (pixels[..., -1:] > 0) | (expected[..., -1:] > 0)
                    pixels, expected = pixels * visible, expected * visible
                total += float(np.abs(pixels - expected).mean())
            return total / len(images)
    except (OSError, ValueError, SyntaxError, EOFError):
        return None
