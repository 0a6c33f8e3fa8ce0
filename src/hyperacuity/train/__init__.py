"""Training: a recipe and folders of pictures in, a model of the zoo out. Needs `hyperacuity[train]`."""

from __future__ import annotations

from hyperacuity.train.interpolation import interpolated
from hyperacuity.train.log import Log
from hyperacuity.train.loop import train
from hyperacuity.train.preview import preview
from hyperacuity.train.progress import Progress
from hyperacuity.train.recipe import Recipe, read_recipe, schema
from hyperacuity.train.report import report

__all__ = ["Log", "Progress", "Recipe", "interpolated", "preview", "read_recipe", "report", "schema", "train"]
