"""Extended XMP: a packet that is longer than a JPEG segment, in a main part and an extension.

XMP Specification part 3, 1.1.3.1: the main part names the MD5 of the extension, which follows in portions.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo.xmp import NAMESPACES, RDF, Attribute, Element, Packet, Value

PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
# The length of a portion that the specification recommends.
_PORTION = 65400
_PADDING = re.compile(rb"\s{100,}(?=<\?xpacket end)")


@dataclass(frozen=True)
class Portion:
    """One segment of an extension: the MD5 of the whole, its length, and where this portion belongs."""

    guid: bytes
    total: int
    offset: int
    data: bytes


def portion(data: bytes) -> Portion | None:
    """Return the portion in the content of a segment, without the prefix; None if it is damaged."""
    if len(data) < 40:
        return None
    total, offset = struct.unpack(">II", data[32:40])
    return Portion(data[:32].upper(), total, offset, data[40:])


def guid_in(main: bytes) -> bytes | None:
    """Return the MD5 of the extension that a main part names; None if it names none."""
    try:
        found = [value.text.strip() for value in Packet(main).values("xmpNote", "HasExtendedXMP")]
    except DamagedFile:
        return None
    return found[0].upper().encode() if found else None


def assembled(portions: list[Portion]) -> bytes | None:
    """Return an extension from its portions in any order; None if a part is missing."""
    total = portions[0].total if portions else 0
    if not total or total > sum(len(each.data) for each in portions):
        return None
    whole, reached = bytearray(total), 0
    for each in sorted(portions, key=lambda each: each.offset):
        if each.offset > reached or each.total != total:
            return None
        data = each.data[: max(total - each.offset, 0)]
        whole[each.offset : each.offset + len(data)] = data
        reached = max(reached, each.offset + len(data))
    return bytes(whole) if reached == total else None


def merged(main: bytes, extension: bytes | None) -> bytes:
    """Return one packet with the properties of both, which no longer names an extension.

    Raises:
        DamagedFile: If either is not well-formed XMP.
    """
    packet = Packet(main)
    for value in list(packet.values("xmpNote", "HasExtendedXMP")):
        packet.remove(value)
    if extension is not None:
        second = Packet(extension)
        target = _rdf(packet)
        for each in _rdf(second).children:
            packet.insert(target.close, _with_scope(second.data, each))
    return packet.result()


def split(xmp: bytes, limit: int) -> tuple[bytes, bytes] | None:
    """Divide a packet into a main part of at most `limit` bytes and an extension; None if that is impossible.

    The longest properties move, until the main part is short enough.
    """
    try:
        packet = Packet(_PADDING.sub(b"\n", xmp))
        rdf = _rdf(packet)
    except DamagedFile:
        return None
    movable: list[Value] = []
    for each in rdf.children:
        movable += [*each.children, *each.attributes]
    movable = [value for value in movable if value.name[0] not in (RDF, "xmlns")]
    excess = len(packet.data) + 300 - limit
    moved: list[Value] = []
    for value in sorted(movable, key=lambda value: value.start - value.end):
        if excess <= 0:
            break
        moved.append(value)
        excess -= value.end - value.start
        packet.remove(value)
    body = b"".join(_property(packet.data, value) for value in moved)
    rdf_uri = RDF.encode()
    extension = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="%s">%s</rdf:RDF></x:xmpmeta>' % (
        rdf_uri,
        body,
    )
    guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper().encode()
    note = NAMESPACES["xmpNote"].encode()
    announcement = b'<rdf:Description rdf:about="" xmlns:rdf="%s" xmlns:xmpNote="%s" xmpNote:HasExtendedXMP="%s"/>'
    packet.insert(rdf.close, announcement % (rdf_uri, note, guid))
    main = packet.result()
    return (main, extension) if len(main) <= limit else None


def segments(extension: bytes) -> list[bytes]:
    """Return the contents of the segments that hold an extension."""
    guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper().encode()
    head = PREFIX + guid + struct.pack(">I", len(extension))
    return [head + struct.pack(">I", at) + extension[at : at + _PORTION] for at in range(0, len(extension), _PORTION)]


def _rdf(packet: Packet) -> Element:
    for element in packet.elements:
        if element.name == (RDF, "RDF") and element.close != element.start:
            return element
    raise DamagedFile("it holds no RDF")


def _with_scope(data: bytes, element: Element) -> bytes:
    """An element with the declarations of all namespaces that it may use."""
    own = {attribute.name[1] if attribute.name[0] == "xmlns" else "" for attribute in element.attributes}
    name_end = element.start + len(re.split(rb"[\s/>]", data[element.start : element.inner], maxsplit=1)[0])
    return data[element.start : name_end] + _declared(element.scope, own) + data[name_end : element.end]


def _declared(scope: dict[str, str], own: set[str]) -> bytes:
    return "".join(
        f' xmlns{":" * bool(prefix)}{prefix}="{uri}"' for prefix, uri in scope.items() if prefix not in own
    ).encode()


def _property(data: bytes, value: Value) -> bytes:
    """A description that holds one property."""
    assert value.owner is not None
    about = next((each for each in value.owner.attributes if each.name == (RDF, "about")), None)
    scope = value.owner.scope | {"rdf": RDF}
    head = b'<rdf:Description rdf:about="%s"%s' % (
        data[about.inner : about.close] if about else b"",
        _declared(scope, set()),
    )
    whole = data[value.start : value.end]
    return head + (b" " + whole + b"/>" if isinstance(value, Attribute) else b">" + whole + b"</rdf:Description>")
