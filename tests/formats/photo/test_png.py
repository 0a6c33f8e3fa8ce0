"""PNG, still and animated."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hyperacuity import formats
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import png_chunks
from hyperacuity.image import Metadata
from tests.formats.samples import (
    ICC,
    encoded,
    frames,
    gradient,
    load,
    noise,
    save,
    saved,
)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_modes_of_png(mode: str) -> None:
    picture = PIL.Image.fromarray(noise(4)).convert("RGB" if mode == "P" else "L" if mode == "I;16" else "RGBA")
    picture = PIL.Image.fromarray(noise(1, np.uint16)[..., 0]) if mode == "I;16" else picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG")
    expected = np.asarray(picture.convert({"1": "L", "P": "RGB"}.get(mode, mode)))
    image = load(file.getvalue())
    np.testing.assert_array_equal(image.pixels, expected.reshape(image.header.shape))
    assert image.header.alpha == (mode in ("LA", "RGBA"))


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_transparent_colour_of_png_becomes_alpha(mode: str) -> None:
    picture = (
        PIL.Image.fromarray(noise(3)).quantize(16).convert(mode)
        if mode != "P"
        else PIL.Image.fromarray(noise(3)).quantize(16)
    )
    key: Any = {"L": picture.getpixel((0, 0)), "P": 3, "RGB": picture.getpixel((0, 0))}[mode]
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=key)
    with PIL.Image.open(file) as opened:
        expected = np.asarray(opened.convert("LA" if mode == "L" else "RGBA"))
    image = load(file.getvalue())
    assert image.header.alpha
    np.testing.assert_array_equal(image.pixels, expected)


def test_a_profile_that_the_decoder_refuses_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(noise(1)[..., 0]).save(file, "PNG", icc_profile=ICC)
    with formats.read(file.getvalue()) as source, pytest.warns(LossWarning, match="ICC profile"):
        assert next(iter(source)).header.metadata.icc is None


def test_text_and_colour_chunks_are_kept_or_their_loss_is_named(tmp_path: Path) -> None:
    own = b"".join(
        [
            png_chunks.chunk(b"gAMA", (100000).to_bytes(4)),
            png_chunks.chunk(b"cICP", bytes([9, 16, 0, 1])),
            png_chunks.chunk(b"tEXt", b"Author\0Ada"),
            png_chunks.chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"steps: 20")),
            png_chunks.chunk(b"iTXt", "Title\0\0\0de\0Titel\0Größe".encode()),
        ]
    )
    source = saved(tmp_path / "a.png", gradient(metadata=Metadata(native=png_chunks.native(own))))
    assert source.header.metadata.native == png_chunks.native(own)
    assert saved(tmp_path / "b.png", source).header.metadata.native == png_chunks.native(own)
    with PIL.Image.open(tmp_path / "b.png") as opened:
        opened.load()
        assert (opened.info["Author"], opened.info["parameters"], opened.info["gamma"]) == ("Ada", "steps: 20", 1.0)
        assert opened.info["Title"] == "Größe"
    with pytest.warns(LossWarning, match="JPEG cannot hold the source's PNG text or colour"):
        save(tmp_path / "c.jpg", source)
    plain = png_chunks.chunk(b"gAMA", (45455).to_bytes(4)) + png_chunks.chunk(b"sRGB", b"\0")
    assert (
        saved(tmp_path / "d.jpg", gradient(metadata=Metadata(native=png_chunks.native(plain)))).header.metadata.native
        is None
    )


def test_animated_png_keeps_16_bits_and_odd_delays(tmp_path: Path) -> None:
    given_frames = [replace(image, header=replace(image.header, duration=1 / 30)) for image in frames(3, 3, np.uint16)]
    save(tmp_path / "a.png", *given_frames)
    with formats.read(tmp_path / "a.png") as source:
        for one, other in zip(source, given_frames, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)
            assert one.header.duration == 1 / 30


def test_a_damaged_xmp_packet_is_left_out_with_a_warning() -> None:
    whole = encoded("PNG")
    xmp = png_chunks.chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0nonsense")
    with pytest.warns(LossWarning, match="the XMP packet is damaged and is left out"):
        assert load(whole[:33] + xmp + whole[33:]).header.metadata.xmp is None
