"""What a recipe asks for that its network cannot do, found before any image is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from hyperacuity.errors import UsageError
from hyperacuity.networks import as_network
from hyperacuity.networks.discriminators import DISCRIMINATORS
from hyperacuity.networks.table import NETWORKS
from hyperacuity.train.degrade import Bicubic
from hyperacuity.train.recipe import Discriminator, Recipe


def scales_of(recipe: Recipe, network: nn.Module) -> tuple[int, ...]:
    """Return the scales to learn: some or all of the network's own, or those to enlarge by before it.

    Raises:
        UsageError: For a scale that the network does not have.
    """
    asked, scale = recipe.data.scales, as_network(network).scale
    if NETWORKS[recipe.model.architecture].takes_enlarged:
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
    if enlarged and recipe.pairs is not None:
        raise UsageError("pairs are for networks that enlarge or restore: this one gets images enlarged before")
    if scales == (1,) and not enlarged:
        _check_restoring(recipe)
    sides = [recipe.data.patch * scale for scale in ((1,) if enlarged else scales)]
    if recipe.window is not None and recipe.window > min(sides):
        raise UsageError(f"window: the results have {min(sides)} pixels a side: make it smaller, or data.patch larger")
    if recipe.discriminator is not None:
        _check_discriminator(recipe.discriminator, sides if recipe.window is None else [recipe.window], recipe)
    multiple = as_network(network).multiple
    if recipe.data.patch % multiple:
        raise UsageError(f"data.patch: the sides of this network's input must divide by {multiple}")


def _check_restoring(recipe: Recipe) -> None:
    """Refuse what makes no sense at a scale of 1."""
    if recipe.pairs is None and isinstance(recipe.degradation, Bicubic):
        raise UsageError("degradation.kind: bicubic makes images smaller, and a network of scale 1 keeps their size")
    if recipe.data.reports:
        raise UsageError("data.reports are measured as papers do, shrunk by bicubic: leave it out at a scale of 1")


def _check_discriminator(settings: Discriminator, sides: Sequence[int], recipe: Recipe) -> None:
    kind: Any = DISCRIMINATORS[settings.architecture]
    multiple = kind.multiple * int(settings.config.get("unshuffle", 1))
    key = "data.patch" if recipe.window is None else "window"
    for side in sides:
        if side % multiple:
            raise UsageError(
                f"{key}: {settings.architecture} halves its images, and {side} pixels a side do not divide by "
                f"{multiple}"
            )
    if int(recipe.data.batch * settings.batch_fraction) < 1:
        raise UsageError("discriminator.batch_fraction: no sample of a batch is left")


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
