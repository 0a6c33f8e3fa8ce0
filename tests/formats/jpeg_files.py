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
