"""An XMP packet as XML whose values can be replaced and removed; all other bytes stay as they are.

Values are found by namespace, in attributes and elements, whatever their prefix and quotes. XMP (ISO 16684-1), 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any
from xml.parsers import expat

from hyperacuity.errors import DamagedFile

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# Namespaces by their usual prefixes, which also count where a packet fails to declare them.
NAMESPACES = {
    "rdf": RDF,
    "x": "adobe:ns:meta/",
    "xml": "http://www.w3.org/XML/1998/namespace",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "dcterms": "http://purl.org/dc/terms/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "dd-Container": "http://ns.google.com/photos/dd/1.0/container/",
    "dd-Item": "http://ns.google.com/photos/dd/1.0/item/",
    "dd-Device": "http://ns.google.com/photos/dd/1.0/device/",
    "OpCamera": "http://ns.oplus.com/photos/1.0/camera/",
    "apple-hdr": "http://ns.apple.com/HDRGainMap/1.0/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "drone-dji": "http://www.dji.com/drone-dji/1.0/",
    "acdsee-stDim": "http://ns.acdsee.com/sType/Dimensions#",
    "acdsee-stArea": "http://ns.acdsee.com/sType/Area#",
}


# How a packet in UTF-32 or UTF-16 begins, with a byte order mark or with "<", and the bytes of a unit.
_WIDE = (
    (b"\xff\xfe\0\0", 4, "utf-32-le"),
    (b"<\0\0\0", 4, "utf-32-le"),
    (b"\0\0\xfe\xff", 4, "utf-32-be"),
    (b"\0\0\0<", 4, "utf-32-be"),
    (b"\xff\xfe", 2, "utf-16-le"),
    (b"<\0", 2, "utf-16-le"),
    (b"\xfe\xff", 2, "utf-16-be"),
    (b"\0<", 2, "utf-16-be"),
)


@dataclass(eq=False)
class Attribute:
    """An attribute: its text lies between the bytes `inner` and `close`, all of it from `start` to `end`."""

    name: tuple[str, str]
    owner: Element
    text: str
    start: int
    inner: int
    close: int

    @property
    def end(self) -> int:
        return self.close + 1


@dataclass(eq=False)
class Element:
    """An element: its content lies between the bytes `inner` and `close`, all of it from `start` to `end`."""

    name: tuple[str, str]
    owner: Element | None
    start: int
    inner: int
    scope: dict[str, str]
    close: int = 0
    end: int = 0
    text: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)


Value = Attribute | Element


class Packet:
    """A packet that is being edited.

    Args:
        data: The packet, in any of the encodings of Unicode; the result is in UTF-8.

    Raises:
        DamagedFile: If it is not well-formed, or declares entities.
    """

    def __init__(self, data: bytes) -> None:
        data = _as_utf8(data)
        self.data = data
        self.elements: list[Element] = []
        self._edits: dict[tuple[int, int], bytes] = {}
        self._open: list[Element] = []
        parser = expat.ParserCreate("utf-8")
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_entities
        parser.StartElementHandler = lambda name, pairs: self._begin(parser.CurrentByteIndex, name, pairs)
        parser.EndElementHandler = lambda _: self._finish(parser.CurrentByteIndex)
        parser.CharacterDataHandler = self._add_text
        try:
            parser.Parse(data.rstrip(b"\0"), True)
        except expat.ExpatError as error:
            raise DamagedFile(f"it is not well-formed XML: {error}") from error

    def values(self, prefix: str, name: str = "") -> Iterator[Value]:
        """Yield the attributes and elements of a namespace, given by its usual prefix, in order.

        Args:
            prefix: A key of `NAMESPACES`.
            name: Their name without a prefix; "" for all.
        """
        uri = NAMESPACES[prefix]
        for element in self.elements:
            values: list[Value] = [element, *element.attributes]
            for value in values:
                if value.name[0] == uri and name in ("", value.name[1]):
                    yield value

    def groups(self, prefix: str) -> list[dict[str, Value]]:
        """Return the fields of each structure: the values of a namespace that share the element around them."""
        found: dict[int, dict[str, Value]] = {}
        for value in self.values(prefix):
            found.setdefault(id(value.owner), {}).setdefault(value.name[1], value)
        return list(found.values())

    def replace(self, value: Value, text: str) -> None:
        """Replace the text of a value; an element that holds other elements stays as it is."""
        if isinstance(value, Element) and (value.children or value.close == value.start):
            return
        self._edits[value.inner, value.close] = escape(text).encode()

    def remove(self, value: Value) -> None:
        """Remove an attribute or an element, with the white space before it."""
        start = value.start
        while start and self.data[start - 1 : start].isspace():
            start -= 1
        self._edits[start, value.end] = b""

    def insert(self, at: int, new: bytes) -> None:
        """Insert bytes at a position of the original packet, behind earlier insertions there."""
        self._edits[at, at] = self._edits.get((at, at), b"") + new

    def result(self) -> bytes:
        """Return the packet with all changes."""
        done, parts = 0, []
        for (start, end), new in sorted(self._edits.items(), key=lambda edit: (edit[0][0], -edit[0][1])):
            if start < done:  # inside something that is removed
                continue
            parts += [self.data[done:start], new]
            done = end
        return b"".join([*parts, self.data[done:]])

    def _begin(self, at: int, name: str, pairs: list[Any]) -> None:
        owner = self._open[-1] if self._open else None
        declared = {
            key[6:]: value
            for key, value in zip(pairs[::2], pairs[1::2], strict=True)
            if key == "xmlns" or key.startswith("xmlns:")
        }
        scope = owner.scope if owner else {}
        scope = scope | declared if declared else scope
        spans, inner = _attribute_spans(self.data, at)
        element = Element(_resolved(name, scope, scope.get("", "")), owner, at, inner, scope)
        for (start, first, last), key, text in zip(spans, pairs[::2], pairs[1::2], strict=True):
            element.attributes.append(Attribute(_resolved(key, scope, ""), element, text, start, first, last))
        if owner:
            owner.children.append(element)
        self.elements.append(element)
        self._open.append(element)

    def _finish(self, at: int) -> None:
        element = self._open.pop()
        if self.data[element.inner - 2 : element.inner] == b"/>":
            element.close, element.end = element.start, element.inner
        else:
            element.close, element.end = at, self.data.index(b">", at) + 1

    def _add_text(self, text: str) -> None:
        self._open[-1].text += text


def _as_utf8(data: bytes) -> bytes:
    """A packet in UTF-8. Sources: XMP Part 1 (2012), 7.1; XML 1.0, appendix F."""
    for start, width, encoding in _WIDE:
        if data.startswith(start):
            data = data.rstrip(b"\0")
            return (data + bytes(-len(data) % width)).decode(encoding, "replace").removeprefix("\ufeff").encode()
    return data


def _refuse_entities(*_: Any) -> None:
    raise DamagedFile("it declares a document type, which XMP does not allow")


def _resolved(name: str, scope: dict[str, str], default: str) -> tuple[str, str]:
    """A name as namespace and local name."""
    prefix, colon, local = name.rpartition(":")
    if not colon:
        return ("xmlns", "") if name == "xmlns" else (default, name)
    if prefix == "xmlns":
        return prefix, local
    return scope.get(prefix) or NAMESPACES.get(prefix, prefix), local


def _attribute_spans(data: bytes, at: int) -> tuple[list[tuple[int, int, int]], int]:
    """Start of the name, and start and end of the value, of each attribute of a well-formed tag; the tag's end."""
    spans: list[tuple[int, int, int]] = []
    while data[at : at + 1] not in (b"/", b">") and not data[at : at + 1].isspace():
        at += 1
    while True:
        while data[at : at + 1].isspace():
            at += 1
        if data[at : at + 1] in (b"/", b">"):
            return spans, data.index(b">", at) + 1
        start = at
        at = data.index(b"=", at) + 1
        while data[at : at + 1].isspace():
            at += 1
        close = data.index(data[at : at + 1], at + 1)
        spans.append((start, at + 1, close))
        at = close + 1
