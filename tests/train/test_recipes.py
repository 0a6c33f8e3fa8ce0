"""The recipes of the project: each can be read, and its quick variant gives a model within seconds."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from hyperacuity import engines, zoo
from hyperacuity.networks import build
from hyperacuity.train import read_recipe, train

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_the_name_of_its_model_and_cites_its_origin(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.model.name == path.stem
    assert path.read_text().startswith("#:schema schema.json\n# ")
    build(recipe.model.architecture, recipe.model.config)
    free = all("photos" in folder.name for folder in recipe.data.train)
    assert (recipe.model.licence == "Apache-2.0") == free


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("onnx_export")
def test_the_quick_variant_gives_a_model(path: Path, recipe: Path, tmp_path: Path) -> None:
    folders = {f"data.{name}": [str(tmp_path / name)] for name in ("train", "validation")}
    record = read_recipe(path, {**folders, "data.reports": []}, quick=True)
    with warnings.catch_warnings():
        steps = [p for p in train(record, tmp_path / "run", device="cpu") if p.losses]
    assert steps[-1].step == record.steps
    assert np.isfinite(steps[-1].best)
    # After so few steps, the result may be NaN, which the pipeline refuses; so run the network itself.
    model = zoo.open_model(next((tmp_path / "run").glob("*.safetensors")))
    engine = engines.open(model, engine="onnxruntime")
    height, width = 8 * model.card.multiple, 9 * model.card.multiple
    answer = engine.run(np.full((1, engine.channels, height, width), 0.5, np.float32))
    assert answer.shape == (1, engine.channels, height * engine.scale, width * engine.scale)
