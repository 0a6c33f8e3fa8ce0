"""A model between two models of the same network: their weights interpolated, in both of its files.

Source: Wang, Yu, Dong, Change Loy: "Deep Network Interpolation for Continuous Imagery Effect Transition", CVPR 2019,
arXiv 1811.10515; ESRGAN (arXiv 1809.00219), section 3.4, interpolates between a network trained for PSNR and its
generative twin in this way.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import LEAVE_OUT, UsageError, Use, WeightsError
from hyperacuity.zoo.files import Model, open_model
from hyperacuity.zoo.onnx_weights import find_weights
from hyperacuity.zoo.shipped import models, verify

Array = NDArray[Any]


def blend_family(family: Sequence[Model], strength: float | None) -> list[Model]:
    """Set the models of a family to a strength.

    Args:
        family: The models.
        strength: From 0 (the natural partner) to 1 (the model itself); None for the default of each card.

    Returns:
        The same models, those between themselves and their partner with files of their own.

    Raises:
        UsageError: A strength is given, and no model has a partner.
        WeightsError: A partner is missing, or is another network.
    """
    check_strength(family, strength)
    result = []
    for model in family:
        wanted = model.card.strength if strength is None else strength
        result.append(model if not model.card.natural or wanted == 1 else blend(model, wanted))
    return result


def check_strength(used: Sequence[Model], strength: float | None) -> None:
    """Refuse a strength that would change nothing.

    Args:
        used: The models of a family, or those of them that enlarge an image to one size.
        strength: What is asked for; None if nothing is.

    Raises:
        UsageError: A strength is given, and no model has a natural partner.
    """
    if strength is None or not used or any(model.card.natural for model in used):
        return
    # Another model does not help where the size stays: it would not be run at all.
    able = [name for name, model in models().items() if model.card.natural and used[0].card.scale != 1]
    raise UsageError(
        f"{used[0].card.name} has no strength: no network of its kind was trained without an adversary",
        Use(strength=LEAVE_OUT),
        *(Use(model=name) for name in able[:1]),
    )


def find_partner(model: Model) -> Model:
    """Find the natural partner that a model's card names: in the folder of the model, or else in the zoo.

    Raises:
        WeightsError: It is in neither, or is another network.
    """
    name, folder = model.card.natural, model.safetensors.parent if model.safetensors is not None else Path()
    path = folder / f"{name}.safetensors"
    partner = open_model(path) if path.is_file() else models().get(name)
    if partner is None:
        raise WeightsError(
            f"{model.card.name} needs {name} for this strength, which is not in its folder", Use(strength=1)
        )
    if _shape(partner) != _shape(model):
        raise WeightsError(f"{name} is not the same network as {model.card.name}; no strength lies between them")
    return partner


def blend(model: Model, strength: float) -> Model:
    """Make the model between a model and its natural partner.

    Args:
        model: A model whose card names a partner.
        strength: From 0 (the partner's weights) to 1 (its own).

    Returns:
        The new model, whose files exist as long as this object: engines open them again. It has no 8-bit form.

    Raises:
        WeightsError: The partner is missing, or is another network.
    """
    partner = find_partner(model)
    verify(model)
    verify(partner)
    assert model.safetensors is not None
    assert partner.safetensors is not None
    folder = Path(tempfile.mkdtemp(prefix="hyperacuity-"))
    try:
        weights = folder / f"{model.card.name}.safetensors"
        _blend_safetensors(model, partner, strength, weights)
        onnx = None
        if model.onnx is not None and partner.onnx is not None:
            onnx = weights.with_suffix(".onnx")
            onnx.write_bytes(blend_onnx(model.onnx.read_bytes(), partner.onnx.read_bytes(), strength))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    blended = replace(model, safetensors=weights, onnx=onnx, int8=None, blended_from=model.onnx)
    weakref.finalize(blended, shutil.rmtree, folder, ignore_errors=True)
    return blended


def blend_onnx(content: bytes, natural: bytes, strength: float) -> bytes:
    """Interpolate the weights of two ONNX files of one network.

    Args:
        content: The file at strength 1.
        natural: The file at strength 0.
        strength: From 0 to 1.

    Returns:
        The first file with the weights between both.

    Raises:
        WeightsError: The files hold different networks.
    """
    ours, theirs = find_weights(content), find_weights(natural)
    result = bytearray(content)
    if ours.keys() != theirs.keys():
        raise WeightsError("the ONNX files of the model and of its partner hold different layers")
    for name, place in ours.items():
        other = theirs[name]
        mine, its = content[place.start : place.end], natural[other.start : other.end]
        if len(mine) != len(its) or place.is_float != other.is_float or not mine:
            raise WeightsError(f"{name} differs between the ONNX files of the model and of its partner")
        if place.is_float:
            between = _between(np.frombuffer(mine, "<f4"), np.frombuffer(its, "<f4"), strength)
            result[place.start : place.end] = between.tobytes()
        elif mine != its:
            raise WeightsError(f"{name} differs between the ONNX files of the model and of its partner")
    return bytes(result)


def _blend_safetensors(model: Model, partner: Model, strength: float, target: Path) -> None:
    import safetensors.numpy

    ours, theirs = (_tensors(each) for each in (model, partner))
    if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        raise WeightsError(f"{partner.card.name} is not the same network as {model.card.name}")
    blended = {name: _between(value, theirs[name], strength) for name, value in ours.items()}
    target.write_bytes(safetensors.numpy.save(blended, model.card.to_metadata()))


def _tensors(model: Model) -> Mapping[str, Array]:
    import safetensors.numpy

    assert model.safetensors is not None
    return safetensors.numpy.load(model.safetensors.read_bytes())


def _between(ours: Array, theirs: Array, strength: float) -> Array:
    mixed = ours.astype(np.float64) * strength + theirs.astype(np.float64) * (1 - strength)
    return mixed.astype(ours.dtype)


def _shape(model: Model) -> tuple[object, ...]:
    card = model.card
    return card.architecture, dict(card.config), card.scale, card.channels, card.enlarged
