"""What a recipe asks for that its network cannot do, found before any image is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from hyperacuity.errors import UsageError
from hyperacuity.networks import as_network
from hyperacuity.networks.discriminators import DISCRIMINATORS
from hyperacuity.train.recipe import Recipe


def scales_of(recipe: Recipe, network: nn.Module) -> tuple[int, ...]:
    """Return the scales to learn: some or all of the network's own, or those to enlarge by before it.

    Raises:
        UsageError: For a scale that the network does not have.
    """
    asked, scale = recipe.data.scales, as_network(network).scale
    if scale == 1:
        return asked or (2,)
    known = getattr(getattr(network, "config", None), "scales", None) or (scale,)
    if not set(asked) <= set(known):
        raise UsageError(f"data.scales: this network has {', '.join(f'x{s}' for s in known)}")
    return asked or tuple(known)


def check_recipe(recipe: Recipe, network: nn.Module, scales: Sequence[int], *, enlarged: bool) -> None:
    """Check that a network can do what a recipe asks for.

    Args:
        recipe: The recipe.
        network: Built as the recipe says.
        scales: See `scales_of`.
        enlarged: Whether the network gets images that bicubic has enlarged before.

    Raises:
        UsageError: For what it cannot do; the message names the key.
    """
    if len(scales) > 1:
        _check_several(recipe, enlarged=enlarged)
    variational = hasattr(network, "elbo_terms")
    if (recipe.variational is not None) != variational:
        cure = "add a table [variational]" if variational else "leave out the table [variational]"
        raise UsageError(f"{recipe.model.architecture} {'is' if variational else 'is not'} variational: {cure}")
    if enlarged and "consistency" in recipe.losses.chosen():
        raise UsageError("losses.consistency is for networks that enlarge: this one gets images enlarged before")
    if enlarged and recipe.data.lr:
        raise UsageError("data.lr is for networks that enlarge: this one gets images enlarged before")
    if recipe.discriminator is not None:
        kind: Any = DISCRIMINATORS[recipe.discriminator.architecture]
        for side in [recipe.data.patch * scale for scale in ((1,) if enlarged else scales)]:
            if side % kind.multiple:
                raise UsageError(
                    f"data.patch: {recipe.discriminator.architecture} halves its images, and {side} pixels a side do "
                    f"not divide by {kind.multiple}"
                )
    multiple = as_network(network).multiple
    if recipe.data.patch % multiple:
        raise UsageError(f"data.patch: the sides of this network's input must divide by {multiple}")


def _check_several(recipe: Recipe, *, enlarged: bool) -> None:
    """Refuse what works with one scale only."""
    one = "" if enlarged else ", or set model.config.scales to one"
    if recipe.data.lr or recipe.data.validation_lr:
        raise UsageError(f"data.lr and data.validation_lr are of one scale: leave them out{one}")
    if enlarged:
        return
    if recipe.teacher is not None:
        raise UsageError(f"teacher is for networks of one scale: leave it out{one}")
    if recipe.discriminator is not None and recipe.discriminator.architecture == "vgg":
        raise UsageError(f"discriminator.architecture: vgg takes images of one size, so use unet{one}")


def check_teacher(name: str, teacher: nn.Module, network: nn.Module) -> None:
    """Check that a teacher has the scale and the channels of the network.

    Raises:
        UsageError: If it has not.
    """
    theirs, own = as_network(teacher), as_network(network)
    if (theirs.scale, theirs.channels) != (own.scale, own.channels):
        raise UsageError(
            f"{name} cannot teach this network: it is for x{theirs.scale} and {theirs.channels} channels, "
            f"not x{own.scale} and {own.channels}"
        )
