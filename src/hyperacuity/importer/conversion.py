"""From a checkpoint to a model: recognise its network, measure it, write it with its card."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from hyperacuity import export, zoo
from hyperacuity.errors import LEAVE_OUT, HyperacuityWarning, UsageError, Use, WeightsError
from hyperacuity.importer.reading import Checkpoint, read
from hyperacuity.importer.recognition import Found, fit_own, recognise
from hyperacuity.networks import NETWORKS, as_network, build
from hyperacuity.zoo import Card


def recognise_file(
    path: Path,
    *,
    architecture: str | None = None,
    scale: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Found:
    """Recognise the network that the weights in a file are for; nothing is written.

    Args:
        path: The checkpoint.
        architecture: See `convert`.
        scale: See `convert`.
        settings: See `convert`.

    Returns:
        The network's architecture and config, and its state dict in our keys.

    Raises:
        UsageError: Something is left open, or the weights contradict an argument.
        WeightsError: The file holds no weights of a network of ours.
    """
    return _recognise(path, read(path), architecture, scale, settings)


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
    source: str | None = None,
    force: bool = False,
) -> Card:
    """Write the weights of a checkpoint as a model: NAME.safetensors and NAME.onnx.

    Args:
        path: The checkpoint: safetensors, or PyTorch's formats.
        folder: Where the model is written; created if missing.
        name: The model's name; by default the file's own, with the scale at its end if it has none.
        architecture: Only this network is tried.
        scale: By how much the network enlarges, if the weights do not determine it; by default the scale in the file's
            name (x2, 2x).
        settings: Config fields that the weights do not determine, see `networks.Undetermined`.
        licence: Of the weights, for the card; by default that of a card in the file, else "unknown".
        trained_on: Like `licence`.
        source: Where the file was downloaded, for the card.
        force: Overwrite a model of that name.

    Returns:
        The model's card.

    Warns:
        HyperacuityWarning: The file holds several networks; it says which was taken.

    Raises:
        UsageError: Something is left open, the weights contradict an argument, or the model exists.
        WeightsError: The file holds no weights of a network of ours.
    """
    checkpoint = read(path)
    found = _recognise(path, checkpoint, architecture, scale, settings)
    network = _loaded(found)
    described_network = as_network(network)
    name = _with_scale(path.stem if name is None else name, described_network.scale)
    written = folder / f"{name}.safetensors"
    _check_targets(written, path)
    export.check_free(folder, name, force=force)
    measured = _measure(network, path)
    paper = NETWORKS[found.architecture].paper
    known = _card_of(checkpoint) or Card(name, found.architecture, None, "RGB", "unknown", "unknown", paper)
    card = replace(
        known,
        name=name,
        licence=known.licence if licence is None else licence,
        trained_on=known.trained_on if trained_on is None else trained_on,
        source=known.source if source is None else source,
        architecture=found.architecture,
        config=found.config,
        scale=described_network.scale,
        enlarged=found.enlarged or known.enlarged,
        channels="Y" if described_network.channels == 1 else "RGB",
        **measured,
    )
    export.write_model(network, card, folder)
    if found.note:
        warnings.warn(HyperacuityWarning(f"{path} holds several networks; taken: {found.note}"), stacklevel=2)
    return zoo.open_model(written).card


def _check_targets(written: Path, path: Path) -> None:
    """Raises `UsageError` if a file of the model would overwrite the checkpoint at `path`."""
    for target in (written, written.with_suffix(".onnx")):
        if target.exists() and target.samefile(path):
            raise UsageError(
                f"{target} is the file to import itself; choose another folder or another name", Use(name="my-model")
            )


def _measure(network: nn.Module, path: Path) -> dict[str, Any]:
    """What a card says of a network's size, work and reach. Raises `WeightsError` if it cannot be measured."""
    try:
        return export.measure_network(network)
    except (RuntimeError, LookupError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be measured: perhaps its output does not follow its input, as with zeros ({error})"
        ) from error


def _recognise(
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
                raise UsageError(
                    f"its card says {card.architecture}, x{card.scale}", Use(scale=LEAVE_OUT, architecture=LEAVE_OUT)
                )
            return fit_own(checkpoint.weights, card.architecture, {**card.config, **(settings or {})})
        found = recognise(
            checkpoint.weights, architecture=architecture, scale=scale, hint=scale_in(path.stem), settings=settings
        )
        return replace(found, note=found.note or checkpoint.note)
    except (UsageError, WeightsError) as error:
        raise error.within(str(path)) from error


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
    """Returns the scale in a file's name, as "x2" or "2x"; None if there is none, or more than one."""
    found = re.findall(r"(?<![a-z0-9])(?:x([1-9])(?![0-9])|([1-9])x(?![a-z0-9]))", name.lower())
    scales = {int(after or before) for after, before in found}
    return scales.pop() if len(scales) == 1 else None


def _with_scale(name: str, scale: int) -> str:
    present = re.search(rf"(?<!\d)(x{scale}(?!\d)|{scale}x)", name.lower())
    return name if present or scale == 1 or not name else f"{name}-x{scale}"
