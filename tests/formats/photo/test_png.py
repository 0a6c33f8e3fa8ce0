"""PNG, still and animated."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import warnings
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hyperacuity import formats
from hyperacuity.errors import DamagedFile
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import png_chunks
from hyperacuity.image import Array, Image
from tests.formats.samples import (
    ICC,
    XMP,
    encoded,
    exif_block,
    frames,
    load,
    noise,
    save,
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


def png_with(*extra: bytes, behind: bytes = b"", base: bytes = b"") -> bytes:
    """A PNG file with more chunks after IHDR."""
    whole = base or encoded("PNG")
    return whole[:33] + b"".join(extra) + whole[33:] + behind


def chunks_in(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a file by their kinds, read independently."""
    found, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        content = data[at + 8 : at + 8 + length]
        assert zlib.crc32(data[at + 4 : at + 8 + length]) == int.from_bytes(data[at + 8 + length : at + 12 + length])
        found[data[at + 4 : at + 8]] = content
        at += 12 + length
    return found


def copied(data: bytes, path: Path, *, scale: int = 1) -> bytes:
    """The copy of a file in the format of `path`, enlarged by repetition."""
    with formats.read(data) as source, formats.write(path, source) as sink:
        for image in source:
            pixels = np.kron(image.pixels, np.ones((scale, scale, 1), image.pixels.dtype))
            header = image.header.resized(*pixels.shape[:2])
            sink.write(Image(header, pixels).strips())
    return path.read_bytes()


TEXTS = (
    png_chunks.chunk(b"tEXt", b"Author\0Ada"),
    png_chunks.chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"steps: 20")),
    png_chunks.chunk(b"iTXt", "Title\0\0\0de\0Titel\0Größe".encode()),
)


def test_text_chunks_are_kept_or_their_loss_is_named(tmp_path: Path) -> None:
    copy = copied(png_with(*TEXTS), tmp_path / "b.png")
    for text in TEXTS:
        assert text in copy
    with PIL.Image.open(tmp_path / "b.png") as opened:
        opened.load()
        assert (opened.info["Author"], opened.info["parameters"]) == ("Ada", "steps: 20")
        assert opened.info["Title"] == "Größe"
    with pytest.warns(LossWarning, match=r"JPEG cannot hold the source's text 'Author', text 'parameters', text 'Ti"):
        copied(png_with(*TEXTS), tmp_path / "c.jpg")


COLOURS = {
    b"gAMA": (100000).to_bytes(4),
    b"cICP": bytes([9, 16, 0, 1]),
    b"sRGB": b"\1",
    b"cHRM": struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600),
    b"mDCV": struct.pack(">8H2I", 35400, 14600, 8500, 39850, 6550, 2300, 15635, 16450, 10000000, 50),
    b"cLLI": struct.pack(">2I", 10000000, 4000000),
}


def test_chunks_of_colour_are_kept_exactly_and_none_is_added(tmp_path: Path) -> None:
    for kind, content in COLOURS.items():
        found = chunks_in(copied(png_with(png_chunks.chunk(kind, content)), tmp_path / "a.png"))
        assert {key: found[key] for key in COLOURS if key in found} == {kind: content}
    every = [png_chunks.chunk(kind, content) for kind, content in COLOURS.items()]
    assert COLOURS.items() <= chunks_in(copied(png_with(*every), tmp_path / "a.png")).items()
    assert chunks_in(copied(encoded("PNG"), tmp_path / "a.png")).keys() == {b"IHDR", b"IDAT", b"IEND"}


def test_srgb_needs_no_warning_in_formats_that_cannot_state_it(tmp_path: Path) -> None:
    plain = png_chunks.chunk(b"gAMA", (45455).to_bytes(4)) + png_chunks.chunk(b"sRGB", b"\0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(copied(png_with(plain), tmp_path / "d.jpg")).header.metadata.icc is None


@pytest.mark.parametrize("density", [(4_000_000_000, 4_000_000_000, 1), (11811, 5905, 1), (4, 3, 0), (72, 72, 0)])
def test_resolutions_and_the_shape_of_pixels_are_kept(
    density: tuple[int, int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    block = struct.pack(">IIB", *density)
    assert chunks_in(copied(png_with(png_chunks.chunk(b"pHYs", block)), tmp_path / "a.png"))[b"pHYs"] == block
    assert capfd.readouterr().err == ""


def test_what_is_measured_in_pixels_is_scaled(tmp_path: Path) -> None:
    extra = {
        b"oFFs": (struct.pack(">iiB", -3, 5, 0), struct.pack(">iiB", -6, 10, 0)),
        b"sCAL": (b"\1" + b"0.5\0" + b"1e-3", b"\1" + b"0.25\0" + b"0.0005"),
        b"caNv": (struct.pack(">IIii", 100, 80, -1, 2), struct.pack(">IIii", 200, 160, -2, 4)),
    }
    whole = png_with(*(png_chunks.chunk(kind, before) for kind, (before, _) in extra.items()))
    found = chunks_in(copied(whole, tmp_path / "a.png", scale=2))
    assert {kind: found[kind] for kind in extra} == {kind: after for kind, (_, after) in extra.items()}


def test_bits_and_background_follow_the_channels_that_are_written(tmp_path: Path) -> None:
    file = io.BytesIO()
    picture = PIL.Image.fromarray(noise(3)).quantize(16)
    picture.save(file, "PNG", transparency=3)
    palette: Array = np.reshape(np.array(picture.getpalette()), (-1, 3))
    whole = file.getvalue()
    at = whole.index(b"tRNS") - 4
    with_both = whole[:at] + png_chunks.chunk(b"bKGD", b"\5") + whole[at:]
    with_both = with_both[:33] + png_chunks.chunk(b"sBIT", b"\5\6\5") + with_both[33:]
    found = chunks_in(copied(with_both, tmp_path / "a.png"))
    assert found[b"sBIT"] == b"\5\6\5\x08"
    assert struct.unpack(">3H", found[b"bKGD"]) == tuple(palette[5])
    with PIL.Image.open(tmp_path / "a.png") as opened:
        opened.load()


def test_chunks_that_do_not_hold_are_named_and_private_ones_copied_if_that_is_safe(tmp_path: Path) -> None:
    kinds = (b"caBX", b"dSIG", b"hIST", b"prVT", b"abCd", b"tIME", b"sPLT")
    whole = png_with(*(png_chunks.chunk(kind, b"\0" * 16) for kind in kinds), behind=b"MotionPhoto")
    with pytest.warns(LossWarning) as caught:
        found = chunks_in(copied(whole, tmp_path / "a.png"))
    (message,) = (str(each.message) for each in caught)
    for part in ("C2PA", "signature", "palette histogram", "private chunk prVT", "11 bytes behind its end"):
        assert part in message
    assert found.keys() >= {b"abCd", b"tIME", b"sPLT"}
    assert not found.keys() & set(kinds[:4])
    with pytest.warns(LossWarning, match="private chunk abCd"):
        copied(png_with(png_chunks.chunk(b"abCd", b"1")), tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
def test_raw_profiles_of_imagemagick_are_carried_as_what_they_are(kind: bytes, tmp_path: Path) -> None:
    iptc = b"\x1c\2\x05\0\5Title"

    def raw(name: str, profile: bytes) -> bytes:
        text = f"\n{name}\n{len(profile):8}\n{profile.hex()}\n".encode()
        head = f"Raw profile type {name}\0".encode()
        return png_chunks.chunk(kind, head + (b"\0" + zlib.compress(text) if kind == b"zTXt" else text))

    resource = b"8BIM\4\4\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    whole = png_with(raw("exif", b"Exif\0\0" + exif_block()), raw("xmp", XMP), raw("iptc", resource))
    metadata = load(whole).header.metadata
    assert metadata.iptc == iptc
    assert metadata.xmp == XMP
    copy = copied(whole, tmp_path / "a.png")
    assert load(copy).header.metadata.iptc == iptc
    assert chunks_in(copy).keys() >= {b"eXIf", b"iTXt", b"zTXt"}
    if exiftool := shutil.which("exiftool"):
        found = subprocess.run(
            [exiftool, "-s3", "-IPTC:ObjectName", tmp_path / "a.png"], capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == "Title"


def test_a_second_block_of_the_same_kind_is_named(tmp_path: Path) -> None:
    blocks = {
        "second EXIF": [png_chunks.chunk(b"eXIf", exif_block()), png_chunks.chunk(b"eXIf", exif_block(6))],
        "second XMP": [png_chunks.chunk(b"iTXt", png_chunks.XMP + b"\0\0\0\0" + each) for each in (XMP, XMP + b" ")],
        "second ICC profile": [
            png_chunks.chunk(b"iCCP", b"p\0\0" + zlib.compress(profile)) for profile in (ICC, ICC[:-1] + b"x")
        ],
        "second IPTC": [png_chunks.raw_profile_chunk("iptc", b"\x1c\2\x05\0\1" + each) for each in (b"A", b"B")],
    }
    for label, (first, second) in blocks.items():
        with pytest.warns(LossWarning, match=f"not carried over.*: {label}$"):
            copy = copied(png_with(first, second), tmp_path / "a.png")
        one, other = load(copied(png_with(first), tmp_path / "b.png")), load(copy)
        assert replace(one.header.metadata, items=()) == replace(other.header.metadata, items=())
        # Twice the same is no loss.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            copied(png_with(first, first), tmp_path / "c.png")


def test_photoshops_resources_beside_iptc_are_named(tmp_path: Path) -> None:
    record = b"\x1c\2\x05\0\5Title"
    iptc = b"8BIM\4\4\0\0" + struct.pack(">I", len(record)) + record
    address = b"8BIM\4\x0b\0\0" + struct.pack(">I", 12) + b"http://x.org"
    with pytest.warns(LossWarning, match="not carried over.*: Photoshop's resources$"):
        copy = copied(png_with(png_chunks.raw_profile_chunk("8bim", iptc + address)), tmp_path / "a.png")
    assert load(copy).header.metadata.iptc == record


def test_the_hidden_image_of_an_animation_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    pictures = [PIL.Image.fromarray(noise(3, seed=seed)) for seed in range(3)]
    pictures[0].save(file, "PNG", save_all=True, default_image=True, append_images=pictures[1:])
    whole = png_with(*TEXTS, png_chunks.chunk(b"cICP", bytes([9, 18, 0, 1])), base=file.getvalue())
    with pytest.warns(LossWarning, match="not carried over.*: image for viewers without animation"):
        copy = copied(whole, tmp_path / "a.png")
    for text in TEXTS:
        assert text in copy
    assert chunks_in(copy)[b"cICP"] == bytes([9, 18, 0, 1])


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


@pytest.mark.parametrize("kind", ["PNG", "APNG"])
@pytest.mark.parametrize("missing", [1, 4, 9, 12])
def test_a_missing_end_marker_is_only_warned_of(kind: str, missing: int) -> None:
    whole = encoded(kind)

    def pixels(data: bytes) -> list[Array]:
        with formats.read(data) as source:
            return [image.pixels for image in source]

    with pytest.warns(LossWarning, match="end marker is missing; all its pixels are there"):
        found = pixels(whole[:-missing])
    np.testing.assert_array_equal(found, pixels(whole))
    assert formats.list_items(whole[:-missing]) == formats.list_items(whole)
    with pytest.raises(DamagedFile), formats.read(whole[:-missing], strict=True) as source:
        list(source)


def test_an_end_between_chunks_of_pixels_is_damage() -> None:
    parts = encoded("PNG").split(b"IDAT")
    data, end = parts[1][:-16], png_chunks.chunk(b"IEND", b"")
    halves = [data[: len(data) // 2], data[len(data) // 2 :]]
    chunks = [png_chunks.chunk(b"IDAT", half) for half in halves]
    load(parts[0][:-4] + b"".join(chunks) + end)
    for ending in (b"", end[:5], end):
        with pytest.raises(DamagedFile):
            load(parts[0][:-4] + chunks[0] + ending)
