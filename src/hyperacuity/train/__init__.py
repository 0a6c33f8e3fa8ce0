"""Training: from a recipe and folders of images to a model of the zoo. Needs `hyperacuity[train]`.

`recipe` is what to train, `assembly` builds it, `loop` runs it, `card` writes the result; `degrade` and `losses` hold
one file and one line of a table for each kind.
"""

from __future__ import annotations

from hyperacuity.train.interpolation import interpolated
from hyperacuity.train.log import Log
from hyperacuity.train.loop import train
from hyperacuity.train.preview import preview
from hyperacuity.train.progress import TrainingProgress
from hyperacuity.train.recipe import Recipe, read_recipe, schema
from hyperacuity.train.report import report

__all__ = ["Log", "Recipe", "TrainingProgress", "interpolated", "preview", "read_recipe", "report", "schema", "train"]
