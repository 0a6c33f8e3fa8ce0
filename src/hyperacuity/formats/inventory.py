"""What a file holds besides the main pixels of its images, and what of it a copy in another format does not hold.

The reader of each format lists everything as `Item`s (`inventory` of `formats.protocol.Format`), also what the program
does not know. An item is kept if a field of `Metadata` carries it and the target format holds that field; it may be
dropped in silence if `OUTDATED` says why; all others are named in one warning.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from hyperacuity.formats.protocol import Capacity
from hyperacuity.image import Item, Metadata

# Fields of `Metadata` that a warning names if a reader lists no item for them. The resolution alone is not named.
LABELS = {
    "icc": "ICC",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "gain_map": "gain map",
    "trailer": "data behind the image",
}
# The only items that are dropped in silence, by the start of their keys.
OUTDATED = {
    "thumbnail": "a thumbnail shows the image before it was enlarged, and can be made again from the result",
    "structure": "an index of the parts of the file, written anew for the result",
    "padding": "bytes without content",
}
# Fields that describe the others, or that may be written as a part of another (the resolution into EXIF).
_ALWAYS = ("dpi", "density_ratio", "items", "size")


def items_of(metadata: Metadata) -> tuple[Item, ...]:
    """Return the items that a reader listed, and one for each field that is set and that none of them names."""
    named = {item.carrier for item in metadata.items}
    missing = [
        Item(field, label, field) for field, label in LABELS.items() if getattr(metadata, field) and field not in named
    ]
    native = metadata.native
    if native is not None and native.label and "native" not in named:
        missing.append(Item("native", native.label, "native"))
    return (*metadata.items, *missing)


def holds_field(holds: Capacity, metadata: Metadata, field: str) -> bool:
    """Return whether a format keeps a field of the metadata; its own form must come from a file of this format."""
    if field == "native":
        return "native" in holds.metadata and metadata.native is not None and metadata.native.format == holds.name
    return field in holds.metadata


def held(holds: Capacity, metadata: Metadata) -> Metadata:
    """Return the metadata without the fields that a format does not hold."""
    absent: dict[str, Any] = {
        each.name: None
        for each in fields(Metadata)
        if each.name not in _ALWAYS and not holds_field(holds, metadata, each.name)
    }
    return replace(metadata, **absent)


def lost_items(holds: Capacity, metadata: Metadata) -> tuple[list[Item], list[Item]]:
    """Return the items that a file of a format cannot hold, and those that are not carried over at all."""
    unheld, uncarried = [], []
    for item in items_of(metadata):
        if is_outdated(item):
            continue
        if item.carrier is None or getattr(metadata, item.carrier) is None:
            uncarried.append(item)
        elif not holds_field(holds, metadata, item.carrier):
            unheld.append(item)
    return unheld, uncarried


def is_outdated(item: Item) -> bool:
    """Return whether an item is dropped in silence, for one of the reasons in `OUTDATED`."""
    return item.key.split(" ", 1)[0] in OUTDATED


def loss(holds: Capacity, metadata: Metadata) -> str | None:
    """Return one sentence that names every item that a file of a format will not hold; None if it holds all."""
    unheld, uncarried = lost_items(holds, metadata)
    if unheld and uncarried:
        return f"{holds.name} cannot hold the source's {_named(unheld)}; not carried over either: {_named(uncarried)}"
    if unheld:
        return f"{holds.name} cannot hold the source's {_named(unheld)}"
    return f"not carried over to the result: {_named(uncarried)}" if uncarried else None


def _named(items: Iterable[Item]) -> str:
    """The labels, each once, in their order."""
    return ", ".join(dict.fromkeys(item.label for item in items))
