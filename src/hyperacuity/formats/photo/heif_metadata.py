"""What a HEIF file (AVIF, HEIC) holds besides its main image: read from its boxes, and written into new files."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from hyperacuity.counting import counted
from hyperacuity.formats.boxes import boxes
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.heif_boxes import Heif, HeifItem, associations, parse_heif
from hyperacuity.image import Item, Metadata, StatedColour

_IMAGES = frozenset({b"av01", b"hvc1", b"grid", b"iden", b"iovl", b"jpeg", b"avc1", b"j2k1", b"unci", b"tmap", b"mski"})
# Properties that the decoder uses up: sizes, codecs, turning and cropping.
_STRUCTURE = frozenset(
    {
        b"ispe",
        b"pixi",
        b"av1C",
        b"hvcC",
        b"auxC",
        b"irot",
        b"imir",
        b"clap",
        b"a1op",
        b"a1lx",
        b"lsel",
        b"rloc",
        b"lhvC",
    }
)
_PROPERTIES = {
    b"cclv": "colour volume (cclv)",
    b"amve": "ambient light (amve)",
    b"reve": "reference viewing environment",
    b"ndwt": "nominal diffuse white (ndwt)",
    b"udes": "description (udes)",
    b"altt": "accessible text (altt)",
    b"crtt": "creation time (crtt)",
    b"mdft": "modification time (mdft)",
    b"cmin": "camera intrinsics (cmin)",
    b"cmex": "camera extrinsics (cmex)",
    b"iscl": "scaling (iscl)",
    b"rref": "required references (rref)",
}
_AUXILIARY = {
    b"alpha": "",
    b"depth": "depth map",
    b"hdrgainmap": "gain map (Apple HDR)",
    b"portraiteffectsmatte": "portrait matte",
    b"semanticskinmatte": "skin matte",
    b"semantichairmatte": "hair matte",
    b"semanticteethmatte": "teeth matte",
    b"semanticglassesmatte": "glasses matte",
    b"semanticskymatte": "sky matte",
    b"styledeltamap": "photographic style map",
    b"linearthumbnail": "linear thumbnail",
    b"aux:disparity": "disparity map",
}


@dataclass(frozen=True)
class HeifContents:
    """What a file says besides its pixels.

    Args:
        metadata: As stored, the orientation of EXIF included.
        premultiplied: Whether colours are multiplied by alpha.
        sizes: Width and height of every image and of every part that the decoder would allocate.
        grey: Whether the main image has no chroma.
    """

    metadata: Metadata
    premultiplied: bool
    sizes: tuple[tuple[int, int], ...]
    grey: bool


@dataclass
class _Found:
    items: list[Item] = field(default_factory=list)
    metadata: Metadata = field(default_factory=Metadata)
    colour: StatedColour | None = None

    def list(self, key: str, label: str, carrier: str | None = None) -> None:
        self.items.append(Item(key, label, carrier))


def contents_of(data: Bytes) -> HeifContents:
    """Return what a HEIF file says besides its pixels.

    Raises:
        DamagedFile: If its boxes are damaged.
    """
    heif = parse_heif(data)
    found = _Found()
    _add_properties(found, heif)
    _add_items(found, heif, data)
    for kind in heif.others:
        name = kind[:4].decode("latin-1") + kind[4:].hex()
        label = "C2PA manifest" if kind[4:].hex() == _C2PA else _BOXES.get(kind, f"box {name!r}")
        found.list(f"box {name}", label)
    for kind in heif.groups:
        if kind != b"altr":
            found.list(f"group {kind.decode('latin-1')}", f"group of images {kind.decode('latin-1')!r}")
    if any(box.kind == b"moov" for box in boxes(data)):
        found.list("box moov", "image sequence")
    items = {item.number: item for item in heif.items.values()}
    every = (content for item in items.values() for kind, content in item.properties if kind == b"ispe")
    sizes = tuple(struct.unpack(">II", content[4:12]) for content in every if len(content) >= 12)
    alpha = [
        number for number in heif.referring(b"auxl", heif.primary) if _auxiliary(heif.items.get(number)) == b"alpha"
    ]
    premultiplied = any(number in heif.targets(b"prem", heif.primary) for number in alpha)
    turned = any(content[:1] and content[0] & 1 for content in heif.properties(b"irot"))
    metadata = replace(found.metadata, colour=found.colour, items=tuple(found.items))
    if turned and metadata.density_ratio:
        metadata = replace(metadata, density_ratio=metadata.density_ratio[::-1])
    return HeifContents(metadata, premultiplied, sizes, _is_grey(heif))


def _is_grey(heif: Heif) -> bool:
    """Whether the main image, or the first part of its grid, is monochrome."""
    number = next(iter(heif.targets(b"dimg", heif.primary)), heif.primary)
    for kind, content in heif.items[number].properties if number in heif.items else []:
        if kind == b"av1C" and len(content) >= 3:
            return bool(content[2] & 16)
        if kind == b"hvcC" and len(content) >= 17:
            return content[16] & 3 == 0
    return False


# Google's Motion Photo 1.0; Samsung's cameras.
_BOXES = {b"mpvd": "video of the motion photo", b"sefd": "Samsung blocks"}
_C2PA = "d8fec3d61b0e483c92975828877ec481"


def _add_properties(found: _Found, heif: Heif) -> None:
    """Take in the properties of the main image."""
    main = heif.items.get(heif.primary)
    for kind, content in main.properties if main else []:
        name = kind[:4].decode("latin-1")
        colour = found.colour or StatedColour()
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 11:
            primaries, transfer, _, _ = struct.unpack(">HHHB", content[4:11])
            if (primaries, transfer) != (2, 2) and max(primaries, transfer) < 256:
                # The decoder turns Y, Cb and Cr of any range into RGB of the full range.
                found.colour = replace(colour, primaries=primaries, transfer=transfer)
                found.list("property colr nclx", "colour codes (nclx)", "colour")
        elif kind == b"colr" and content[:4] in (b"prof", b"rICC"):
            found.metadata = replace(found.metadata, icc=content[4:])
            found.list("property colr prof", "ICC profile", "icc")
        elif kind == b"mdcv" and len(content) == 24:
            numbers = struct.unpack(">8H2I", content)
            # Green, blue, red become red, green, blue.
            found.colour = replace(colour, mastering=(*numbers[4:6], *numbers[:4], *numbers[6:]))
            found.list("property mdcv", "mastering display (mdcv)", "colour")
        elif kind == b"clli" and len(content) == 4:
            peak, average = struct.unpack(">HH", content)
            found.colour = replace(colour, light=(peak * 10000, average * 10000))
            found.list("property clli", "light levels (clli)", "colour")
        elif kind == b"pasp" and len(content) == 8:
            _add_shape(found, *struct.unpack(">II", content))
        elif kind not in _STRUCTURE:
            found.list(f"property {name}", _PROPERTIES.get(kind, f"property {name!r}"))


def _add_shape(found: _Found, across: int, down: int) -> None:
    """Take in the width and the height of a pixel, of which densities are the inverse."""
    if across and down and across != down:
        found.metadata = replace(found.metadata, density_ratio=(down, across))
        found.list("property pasp", "shape of pixels that are not square", "density_ratio")


def _auxiliary(item: HeifItem | None) -> bytes:
    """What kind of auxiliary image an item is; b"" if it is none."""
    for kind, content in item.properties if item else []:
        if kind == b"auxC":
            urn = content[4:].partition(b"\0")[0].lower()
            if urn in (b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:avc:2015:auxid:1"):
                return b"alpha"
            if urn in (b"urn:mpeg:hevc:2015:auxid:2", b"urn:mpeg:avc:2015:auxid:2"):
                return b"depth"
            return next((name for name in _AUXILIARY if urn.endswith(name)), urn)
    return b""


def _add_items(found: _Found, heif: Heif, data: Bytes) -> None:
    """Take in all items besides the main image and its parts."""
    tiles = {number for kind, _, targets in heif.references if kind == b"dimg" for number in targets}
    thumbnails = {source for kind, source, _ in heif.references if kind == b"thmb"}
    images = 0
    for item in heif.items.values():
        name = item.kind.decode("latin-1")
        main = item.number == heif.primary
        if item.kind == b"Exif" and _describes_main(heif, item) and found.metadata.exif:
            found.list("item second Exif", "second EXIF")
        elif item.kind == b"Exif" and _describes_main(heif, item):
            block = heif.bytes_of(item, data)
            skipped = int.from_bytes(block[:4])
            found.metadata = replace(found.metadata, exif=meta.unprefixed(block[4 + skipped :]) or None)
            found.list("item Exif", "EXIF", "exif")
        elif item.kind == b"mime" and item.content_type == b"application/rdf+xml" and _describes_main(heif, item):
            packet = heif.bytes_of(item, data).rstrip(b"\0")
            found.metadata = replace(found.metadata, xmp=packet or None)
            found.list("item mime application/rdf+xml", "XMP", "xmp")
        elif item.kind == b"tmap":
            found.list("item tmap", "gain map (ISO 21496-1)")
        elif auxiliary := _auxiliary(item):
            label = _AUXILIARY.get(auxiliary, f"auxiliary image {auxiliary.decode('latin-1')!r}")
            if label and not main:
                found.list(f"item auxiliary {auxiliary.decode('latin-1')}", label)
        elif item.number in thumbnails:
            found.list(f"thumbnail {name}", "thumbnail")
        elif item.kind in _IMAGES:
            images += not main and item.number not in tiles
        else:
            what = item.content_type.decode("latin-1") if item.kind == b"mime" else name
            describes = _describes_main(heif, item)
            found.list(f"item {name} {what}", f"item {what!r}{'' if describes else ' of another image'}")
    if images:
        found.list("item images", counted(images, "more image"))


def _describes_main(heif: Heif, item: HeifItem) -> bool:
    """Whether metadata is that of the main image; without a reference, it is that of the file."""
    targets = heif.targets(b"cdsc", item.number)
    return not targets or heif.primary in targets


def with_metadata(data: bytes, metadata: Metadata, matrix: int | None) -> bytes:
    """Return a HEIF file with colour, EXIF and XMP added to its main image.

    Args:
        data: The file as libheif wrote it, without these.
        metadata: What to add.
        matrix: MatrixCoefficients of H.273 with which its pixels are encoded, in the full range; None if the
            file states its codes of colour already.
    """
    properties = _new_properties(metadata, matrix)
    items: list[tuple[bytes, bytes, bytes]] = []
    if metadata.exif:
        items.append((b"Exif", b"", b"\0\0\0\0" + metadata.exif))
    if metadata.xmp:
        items.append((b"mime", b"application/rdf+xml\0", metadata.xmp))
    if not properties and not items:
        return data
    heif = parse_heif(data)
    (box,) = (each for each in boxes(data) if each.kind == b"meta")
    inner = {each.kind: bytes(data[each.start : each.end]) for each in boxes(data, box.start + 4, box.end)}
    first = max(heif.items) + 1
    numbers = range(first, first + len(items))
    names = b"".join(
        _box(b"infe", struct.pack(">IHH", 2 << 24, number, 0) + kind + b"\0" + content_type)
        for number, (kind, content_type, _) in zip(numbers, items, strict=True)
    )
    entries = [inner[b"iinf"][6:]] if inner[b"iinf"][0] == 0 else [inner[b"iinf"][8:]]
    iinf = _box(b"iinf", struct.pack(">IH", 0, len(heif.items) + len(items)) + entries[0] + names)
    iprp = _with_properties(inner[b"iprp"], heif.primary, properties)
    references = b"".join(_box(b"cdsc", struct.pack(">HHH", number, 1, heif.primary)) for number in numbers)
    iref = _box(b"iref", inner.get(b"iref", bytes(4)) + references) if references or b"iref" in inner else b""
    rest = b"".join(
        _box(kind, content)
        for kind, content in inner.items()
        if kind not in (b"iinf", b"iprp", b"iref", b"iloc", b"hdlr")
    )
    head = _box(b"hdlr", inner[b"hdlr"])
    added = _box(b"mdat", b"".join(content for _, _, content in items)) if items else b""
    before, behind = data[: box.start - 8], data[box.end :]

    def meta_box(shift: int, added_at: int) -> bytes:
        places = [
            (item, [(at + shift * (not item.inside), size) for at, size in item.extents])
            for item in heif.items.values()
        ]
        for number, (kind, _, content) in zip(numbers, items, strict=True):
            places.append((HeifItem(number, kind), [(added_at, len(content))]))
            added_at += len(content)
        return _box(b"meta", bytes(4) + head + rest + _iloc(places) + iinf + iprp + iref)

    # Its length does not depend on the places.
    shift = len(meta_box(0, 0)) - (box.end - box.start + 8)
    return before + meta_box(shift, len(data) + shift + 8) + behind + added


def _new_properties(metadata: Metadata, matrix: int | None) -> list[bytes]:
    """Whole boxes of the properties that metadata states."""
    colour = metadata.colour
    properties = []
    if matrix is not None and colour is not None and (colour.primaries, colour.transfer) != (2, 2):
        codes = struct.pack(">4sHHHB", b"nclx", colour.primaries, colour.transfer, matrix, 128)
        properties.append(_box(b"colr", codes))
    if colour is not None and colour.mastering:
        numbers = colour.mastering
        properties.append(_box(b"mdcv", struct.pack(">8H2I", *numbers[2:6], *numbers[:2], *numbers[6:])))
    if colour is not None and colour.light:
        light = (min(round(level / 10000), 65535) for level in colour.light)
        properties.append(_box(b"clli", struct.pack(">HH", *light)))
    if metadata.density_ratio and len(set(metadata.density_ratio)) == 2:
        properties.append(_box(b"pasp", struct.pack(">II", *metadata.density_ratio[::-1])))
    return properties


def _with_properties(iprp: bytes, primary: int, properties: list[bytes]) -> bytes:
    """The `iprp` box with more properties of the main image."""
    inner = {box.kind: iprp[box.start : box.end] for box in boxes(iprp)}
    count = sum(1 for _ in boxes(inner[b"ipco"]))
    links: dict[int, list[tuple[int, bool]]] = {}
    for item, index, essential in associations(inner[b"ipma"]):
        links.setdefault(item, []).append((index, essential))
    links.setdefault(primary, []).extend((count + 1 + number, False) for number in range(len(properties)))
    ipma = struct.pack(">II", 1, len(links))
    for item, values in sorted(links.items()):
        ipma += struct.pack(">HB", item, len(values))
        ipma += b"".join(struct.pack(">H", index | essential << 15) for index, essential in values)
    return _box(b"iprp", _box(b"ipco", inner[b"ipco"] + b"".join(properties)) + _box(b"ipma", ipma))


def _iloc(places: list[tuple[HeifItem, list[tuple[int, int]]]]) -> bytes:
    content = struct.pack(">IBBH", 1 << 24, 0x44, 0, len(places))
    for item, extents in places:
        content += struct.pack(">HHHH", item.number, int(item.inside), 0, len(extents))
        content += b"".join(struct.pack(">II", *extent) for extent in extents)
    return _box(b"iloc", content)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
