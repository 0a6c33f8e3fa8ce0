"""JPEG files put together from parts, for the tests of what they hold besides their image."""

from __future__ import annotations

import hashlib
import io
import struct
from typing import Any

import numpy as np
import PIL.Image

from hyperacuity.image import Array

XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def jpeg(width: int = 40, height: int = 24, mode: str = "RGB", **options: Any) -> bytes:
    """A smooth image, encoded by Pillow."""
    y, x = np.mgrid[:height, :width]
    pixels: Array = np.stack([x * 5 % 256, y * 7 % 256, 0 * x + 90], axis=2).astype(np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(file, "JPEG", quality=92, **options)
    return file.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(*segments: tuple[int, bytes], image: bytes | None = None) -> bytes:
    """An image with segments in front."""
    data = jpeg() if image is None else image
    return data[:2] + b"".join(segment(*each) for each in segments) + data[2:]


def resource(number: int, content: bytes) -> bytes:
    """One of Photoshop's image resources."""
    return b"8BIM" + struct.pack(">HBBI", number, 0, 0, len(content)) + content + b"\0" * (len(content) % 2)


def packet(body: str, **namespaces: str) -> bytes:
    """An XMP packet around one description; `body` is attributes, or elements if it starts with "<"."""
    declared = "".join(f' xmlns:{prefix.replace("_", "-")}="{uri}"' for prefix, uri in namespaces.items())
    inner = f">{body}</rdf:Description>" if body.startswith("<") else f" {body}/>"
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about=""{declared}{inner}</rdf:RDF></x:xmpmeta>'
    ).encode()


def with_xmp(xmp: bytes, image: bytes | None = None) -> bytes:
    return with_segments((0xE1, XMP + xmp), image=image)


def extension(xmp: bytes, portion: int) -> tuple[str, list[tuple[int, bytes]]]:
    """The MD5 of an extension, and its segments."""
    digest = hashlib.md5(xmp).hexdigest().upper()
    head = EXTENSION + digest.encode() + struct.pack(">I", len(xmp))
    return digest, [(0xE1, head + struct.pack(">I", at) + xmp[at : at + portion]) for at in range(0, len(xmp), portion)]


def mp4() -> bytes:
    """The first boxes of a video."""
    return b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x10mdat" + b"\1" * 8


def index(lengths: list[int], offsets: list[int], kinds: list[int]) -> bytes:
    """An MPF segment's content, little-endian."""
    rows = b"".join(
        struct.pack("<IIIHH", kind, length, offset, 0, 0)
        for kind, length, offset in zip(kinds, lengths, offsets, strict=True)
    )
    head = b"MPF\0II*\0" + struct.pack("<IH", 8, 3) + struct.pack("<HHI4s", 0xB000, 7, 4, b"0100")
    head += struct.pack("<HHII", 0xB001, 4, 1, len(lengths)) + struct.pack("<HHII", 0xB002, 7, len(rows), 50)
    return head + struct.pack("<I", 0) + rows


GAIN_MAP = packet(
    'hdrgm:Version="1.0" hdrgm:GainMapMin="0" hdrgm:GainMapMax="2.3" hdrgm:Gamma="1" hdrgm:OffsetSDR="0.015625" '
    'hdrgm:OffsetHDR="0.015625" hdrgm:HDRCapacityMin="0" hdrgm:HDRCapacityMax="2.3" hdrgm:BaseRenditionIsHDR="False"',
    hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/",
)


def directory(*items: tuple[str, str, int]) -> str:
    """Google's directory of the parts of a file, from the meaning, the type and the length of each."""
    entries = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{meaning}" Item:Mime="{mime}" '
        f'Item:Length="{length}"/></rdf:li>'
        for meaning, mime, length in items
    )
    return f"<Container:Directory><rdf:Seq>{entries}</rdf:Seq></Container:Directory>"


def ultra_hdr(*, video: bytes = b"", orientation: int | None = None, extra: str = "") -> bytes:
    """A photo with a gain map of half its size, in Google's form, and the video of a motion photo behind it."""
    gain = with_xmp(GAIN_MAP, jpeg(20, 12, "L"))
    parts = [("Primary", "image/jpeg", 0), ("GainMap", "image/jpeg", len(gain))]
    parts += [("MotionPhoto", "video/mp4", len(video))] if video else []
    body = f"<hdrgm:Version>1.0</hdrgm:Version>{directory(*parts)}{extra}"
    motion = "<GCamera:MotionPhoto>1</GCamera:MotionPhoto><GCamera:MotionPhotoVersion>1</GCamera:MotionPhotoVersion>"
    xmp = packet(
        body + (motion if video else ""),
        hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/",
        Container="http://ns.google.com/photos/1.0/container/",
        Item="http://ns.google.com/photos/1.0/container/item/",
        GCamera="http://ns.google.com/photos/1.0/camera/",
    )
    options: dict[str, Any] = {}
    if orientation:
        exif = PIL.Image.Exif()
        exif[274] = orientation
        options["exif"] = exif.tobytes()
    return with_index(with_xmp(xmp, jpeg(**options)), gain) + video


def with_index(main: bytes, *others: bytes, kind: int = 0) -> bytes:
    """Images one after another, with an MPF segment in the first."""
    size = len(index([0] * (len(others) + 1), [0] * (len(others) + 1), [0] * (len(others) + 1))) + 4
    lengths = [len(main) + size, *map(len, others)]
    # Offsets count from the byte order mark: behind the start of the image, marker, length and name.
    offsets = [0] + [sum(lengths[: number + 1]) - 2 - 8 for number in range(len(others))]
    content = index(lengths, offsets, [0x030000] + [kind] * len(others))
    return with_segments((0xE2, content), image=main) + b"".join(others)


def everything() -> bytes:
    """A JPEG that holds one of every kind of thing."""
    from tests.formats.samples import ICC, exif_block  # samples of other formats

    caption = b"\x1c\x02\x78\0\x05Hello"
    resources = (
        resource(0x0404, caption) + resource(0x040A, b"\1") + resource(0x0408, struct.pack(">IIIIIB", 1, 0, 0, 1, 9, 0))
    )
    half = len(ICC) // 2
    hidden, portions = extension(packet('dc:source="hidden"', dc="http://purl.org/dc/elements/1.1/"), 90)
    xmp = packet(
        f"<xmpNote:HasExtendedXMP>{hidden}</xmpNote:HasExtendedXMP><dc:title>Title</dc:title>"
        "<dcterms:provenance>self#jumbf=c2pa</dcterms:provenance>",
        xmpNote="http://ns.adobe.com/xmp/note/",
        dc="http://purl.org/dc/elements/1.1/",
        dcterms="http://purl.org/dc/terms/",
    )
    gain = with_xmp(GAIN_MAP, jpeg(20, 12, "L"))
    main = with_segments(
        *portions[::-1],
        (0xE1, XMP + xmp),
        (0xE1, b"Exif\0\0" + exif_block()),
        (0xE1, b"FLIR\0\1\0\0" + b"raw" * 9),
        (0xE2, b"ICC_PROFILE\0\2\2" + ICC[half:]),
        (0xE2, b"ICC_PROFILE\0\1\2" + ICC[:half]),
        (0xE6, b"GoPro\0" + b"DEVC\0\0\0\0"),
        (0xE7, b"XYZ\0unknown"),
        (0xE8, b"\1\2\3 without a name"),
        (0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa" + b"\0" * 16),
        (0xED, b"Photoshop 3.0\0" + resources),
        (0xFE, b"words \xff\xe4"),
        image=jpeg(dpi=(300, 300)),
    )
    return with_index(main, gain, jpeg(8, 8), kind=0x020002) + mp4()


def samsung() -> bytes:
    """Two of the blocks that Samsung's cameras append, and their list."""
    blocks, table = b"", b"SEFH" + struct.pack("<II", 101, 2)
    named = ((0x0A01, b"Image_UTC_Data", b"1700000000000"), (0x0A30, b"MotionPhoto_Data", b"ftyp"))
    contents = [(kind, struct.pack("<HHI", 0, kind, len(name)) + name + content) for kind, name, content in named]
    blocks = b"".join(block for _, block in contents)
    left = len(blocks)
    for kind, block in contents:
        table += struct.pack("<HHII", 0, kind, left, len(block))
        left -= len(block)
    return blocks + table + struct.pack("<I", len(table)) + b"SEFT"
