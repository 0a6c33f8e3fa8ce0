"""Checkpoints of others, converted once, at the border: any file of weights -> NAME.safetensors and NAME.onnx.

`reading` opens files without running what is in them, `layouts` knows how others name their layers, `configs` what the
shapes say, `recognition` which network it is. To add somebody's layout: one function and one line in `layouts`.
Needs PyTorch and onnx.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from hyperacuity import export, zoo
from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.importer.reading import Checkpoint, read
from hyperacuity.importer.recognition import Found, fit_own, recognise
from hyperacuity.networks import build, described
from hyperacuity.zoo import Card

__all__ = ["Found", "convert", "recognised"]

PAPERS = {
    "srcnn": "arXiv:1501.00092",
    "fsrcnn": "arXiv:1608.00367",
    "espcn": "arXiv:1609.05158",
    "subpixel": "arXiv:1609.05158",
    "vdsr": "arXiv:1511.04587",
    "srresnet": "arXiv:1609.04802",
    "edsr": "arXiv:1707.02921",
    "mdsr": "arXiv:1707.02921",
    "rrdb": "arXiv:1809.00219",
    "compact": "arXiv:2107.10833",
    "imdn": "arXiv:1909.11856",
    "swinir": "arXiv:2108.10257",
    "span": "arXiv:2311.12770",
}


def recognised(
    path: Path,
    *,
    architecture: str | None = None,
    scale: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Found:
    """Which network the weights in a file are for; nothing is written. Raises as `convert` does."""
    return _recognised(path, read(path), architecture, scale, settings)


def convert(
    path: Path,
    folder: Path,
    *,
    name: str | None = None,
    architecture: str | None = None,
    scale: int | None = None,
    settings: Mapping[str, Any] | None = None,
    licence: str | None = None,
    trained_on: str | None = None,
    force: bool = False,
) -> Card:
    """Write NAME.safetensors and NAME.onnx of the weights in `path` into `folder`, and return their card.

    name: by default the file's own, with the scale at its end where it is not in it. architecture, scale, settings:
    what the weights do not say, see `recognition.recognise`; a scale in the file's name (x2, 2x) is believed. licence,
    trained_on: for the card; without them those of a card in the file, or "unknown". force: overwrite.

    Raises `UsageError` for what cannot be done as asked, `WeightsError` for a file that is no weights of ours.
    """
    checkpoint = read(path)
    found = _recognised(path, checkpoint, architecture, scale, settings)
    network = _loaded(found)
    told = described(network)
    name = _named(path.stem if name is None else name, told.scale)
    written = folder / f"{name}.safetensors"
    for target in (written, written.with_suffix(".onnx")):
        if target.exists() and target.samefile(path):
            raise UsageError(f"{target} is the file to import itself: give another folder by -o, or a --name")
    export.check_free(folder, name, force=force)
    try:
        measured = export.measured(network)
    except (RuntimeError, LookupError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be measured: perhaps its output does not follow its input, as with zeros ({error})"
        ) from error
    paper = PAPERS.get(found.architecture, "")
    known = _card_of(checkpoint) or Card(name, found.architecture, None, "RGB", "unknown", "unknown", paper)
    card = replace(
        known,
        name=name,
        licence=known.licence if licence is None else licence,
        trained_on=known.trained_on if trained_on is None else trained_on,
        architecture=found.architecture,
        config=found.config,
        scale=told.scale,
        enlarged=found.enlarged or known.enlarged,
        channels="Y" if told.channels == 1 else "RGB",
        **measured,
    )
    export.write(network, card, folder)
    return zoo.open_file(written).card


def _recognised(
    path: Path,
    checkpoint: Checkpoint,
    architecture: str | None,
    scale: int | None,
    settings: Mapping[str, Any] | None,
) -> Found:
    try:
        card = _card_of(checkpoint)
        if card is not None:
            if scale not in (None, card.scale) or architecture not in (None, card.architecture):
                raise UsageError(f"its card says {card.architecture}, x{card.scale}: leave out --scale, --architecture")
            return fit_own(checkpoint.weights, card.architecture, {**card.config, **(settings or {})})
        return recognise(
            checkpoint.weights, architecture=architecture, scale=scale, hint=scale_in(path.stem), settings=settings
        )
    except (UsageError, WeightsError) as error:
        raise type(error)(f"{path}: {error}") from error


def _loaded(found: Found) -> nn.Module:
    try:
        network = build(found.architecture, found.config).eval()
        network.load_state_dict(found.weights)
    except (MemoryError, RuntimeError) as error:
        raise WeightsError(f"{found.architecture} of {found.config} cannot be built: {error}") from error
    return network


def _card_of(checkpoint: Checkpoint) -> Card | None:
    if "hyperacuity" not in checkpoint.metadata:
        return None
    return Card.from_metadata(checkpoint.metadata)


def scale_in(name: str) -> int | None:
    """The scale in a file's name, as "x2" or "2x"; None when there is none, or more than one."""
    found = re.findall(r"(?<![a-z0-9])(?:x([1-9])(?![0-9])|([1-9])x(?![a-z0-9]))", name.lower())
    scales = {int(after or before) for after, before in found}
    return scales.pop() if len(scales) == 1 else None


def _named(name: str, scale: int) -> str:
    said = re.search(rf"(?<!\d)(x{scale}(?!\d)|{scale}x)", name.lower())
    return name if said or scale == 1 or not name else f"{name}-x{scale}"
