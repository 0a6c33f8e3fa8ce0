"""Training: a recipe and folders of pictures in, a model of the zoo out. Needs `hyperacuity[train]`."""

from __future__ import annotations

from hyperacuity.train.loop import Progress, train
from hyperacuity.train.recipe import Recipe, read_recipe

__all__ = ["Progress", "Recipe", "read_recipe", "train"]
