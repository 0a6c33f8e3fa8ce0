"""What an XMP packet says about how an image was made: which software and models enlarged it, and of what kind it is.

Sources: IPTC Photo Metadata Standard 2023.2, "Digital Source Type", and the NewsCodes "digitalsourcetype"; XMP
Specification part 2 (2016), 2.2 "XMP Media Management namespace", for the history.
"""

from __future__ import annotations

from html import escape

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo.xmp import NAMESPACES, RDF, Element, Packet
from hyperacuity.image import Origin

_CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
).encode()


def with_origin(xmp: bytes | None, origin: Origin) -> bytes:
    """Returns a packet that states how the image was made; what it states about earlier steps stays.

    Args:
        xmp: The packet of the source; None if it has none. A damaged one is returned as it is.
        origin: What is stated.
    """
    try:
        packet = Packet(xmp or _EMPTY)
    except DamagedFile:
        assert xmp is not None
        return xmp
    root = next((element for element in packet.elements if element.name == (RDF, "RDF")), None)
    if root is None or root.close == root.start:
        return with_origin(None, origin)
    described = []
    code = _CODES + ("compositeWithTrainedAlgorithmicMedia" if origin.invents else "algorithmicallyEnhanced")
    kinds = list(packet.values("Iptc4xmpExt", "DigitalSourceType"))
    for kind in kinds:
        packet.replace(kind, code)
    if not kinds:
        described.append(f"<Iptc4xmpExt:DigitalSourceType>{code}</Iptc4xmpExt:DigitalSourceType>")
    if not list(packet.values("xmp", "CreatorTool")):
        described.append(f"<xmp:CreatorTool>{escape(origin.software)}</xmp:CreatorTool>")
    step = _step(origin)
    steps = _list_of_steps(packet)
    if steps is not None:
        packet.insert(steps.close, step.encode())
    else:
        described.append(f"<xmpMM:History><rdf:Seq>{step}</rdf:Seq></xmpMM:History>")
    if described:
        packet.insert(
            root.close, f'<rdf:Description rdf:about="" {_spaces()}>{"".join(described)}</rdf:Description>'.encode()
        )
    return packet.result()


def _list_of_steps(packet: Packet) -> Element | None:
    """The history of the packet, if steps can be added to it; one that is written otherwise is removed."""
    for value in list(packet.values("xmpMM", "History")):
        children = value.children if isinstance(value, Element) else []
        found = [child for child in children if child.name == (RDF, "Seq")]
        if found and found[0].close != found[0].start:
            return found[0]
        packet.remove(value)
    return None


def _step(origin: Origin) -> str:
    """An entry of the history; it declares its prefixes, since those of the packet around it may differ."""
    parts = {
        "action": "converted",
        "softwareAgent": origin.software,
        "parameters": "enlarged by " + ", ".join(origin.models),
    }
    inside = "".join(f"<stEvt:{name}>{escape(text)}</stEvt:{name}>" for name, text in parts.items())
    return f'<rdf:li xmlns:rdf="{RDF}" xmlns:stEvt="{NAMESPACES["stEvt"]}" rdf:parseType="Resource">{inside}</rdf:li>'


def _spaces() -> str:
    return " ".join(f'xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in ("rdf", "Iptc4xmpExt", "xmp", "xmpMM"))
