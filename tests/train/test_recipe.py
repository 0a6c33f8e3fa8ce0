from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hyperacuity.errors import UsageError
from hyperacuity.train import read_recipe, schema

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_project_are_valid(path: Path) -> None:
    assert read_recipe(path).model.name == path.stem


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": "3"}, "unknown key step. Did you mean 'steps'"),
        ({"optimizer.rl": "3"}, "unknown key optimizer.rl. Did you mean 'lr'"),
        ({"data.pach": "3"}, "unknown key data.pach. Did you mean 'patch'"),
        ({"optimizer.lr": "-1"}, "optimizer.lr: .*greater than 0"),
        ({"steps": '"many"'}, "steps: .*integer"),
        ({"losses.l3": 1}, "unknown key losses.l3. Did you mean 'l1'"),
        ({"losses": {}}, "losses: .*give at least one"),
        ({"schedule.kind": "cosin"}, "schedule: .*'cosine', 'stairs', 'one-cycle'"),
        ({"schedule.warmup": 3}, "unknown key schedule.cosine.warmup. Did you mean 'warm_up'"),
        ({"discriminator": {"optimizer": {"leer": 1}}}, "unknown key discriminator.optimizer.leer. Did you mean 'lr'"),
        ({"data.lr": ["a", "b"]}, "data: .*one folder for each of train"),
        ({"steps.a": "1"}, "cannot set steps.a"),
    ],
)
def test_mistakes_in_recipes_raise(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_recipe(RECIPES[0], changes)


@pytest.mark.parametrize("content", ["steps = ", "\x00", 'steps = 3\n[model]\nname="x"'])
def test_files_other_than_recipes_raise(content: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"r\.toml"):
        read_recipe(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_recipe(tmp_path / "none.toml")


def test_changes_are_made_by_dotted_keys_after_the_quick_ones() -> None:
    changes = {"optimizer.lr": 5e-4, "data.rescale": [1.0, 0.5]}
    recipe = read_recipe(RECIPES[0], changes)
    assert recipe.optimizer.lr == 5e-4
    assert recipe.data.rescale == (1.0, 0.5)
    assert read_recipe(RECIPES[0], {"seed": 9}, quick=True).seed == 9
    assert read_recipe(RECIPES[0], quick=True).steps < recipe.steps


def test_a_recipe_without_a_quick_table_raises(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("steps = 3")
    with pytest.raises(UsageError, match=r"no table \[quick\]"):
        read_recipe(tmp_path / "r.toml", quick=True)


def test_the_hash_depends_on_what_decides_the_weights() -> None:
    recipe = read_recipe(RECIPES[0])
    assert recipe.hash() == read_recipe(RECIPES[0], {"validate_every": 7, "data.reports": [], "keep": 9}).hash()
    assert recipe.hash() != read_recipe(RECIPES[0], {"optimizer.lr": 5e-4}).hash()
    assert recipe.hash() != read_recipe(RECIPES[0], {"seed": 99}).hash()
    assert recipe.hash() != read_recipe(RECIPES[0], {"data.hardest_of": 2}).hash()


def test_keys_that_were_added_later_count_only_where_they_are_used() -> None:
    gan = next(path for path in RECIPES if path.stem == "srgan-x4")
    plain = read_recipe(gan).hash()
    unused = {
        "discriminator.warm_up": 0,
        "discriminator.batch_fraction": 1.0,
        "model.natural": "x",
        "model.strength": 0.5,
    }
    assert read_recipe(gan, unused).hash() == plain
    for change in ({"discriminator.warm_up": 5}, {"discriminator.batch_fraction": 0.5}, {"window": 48}):
        assert read_recipe(gan, change).hash() != plain
    photo = next(path for path in RECIPES if path.stem == "photo-x4")
    assert read_recipe(photo, {"pairs.validation_per_kind": 1}).hash() == read_recipe(photo).hash()
    assert read_recipe(photo, {"pairs.truth.web": 0.4}).hash() != read_recipe(photo).hash()


def test_the_recipes_of_runs_before_keep_their_hashes() -> None:
    hashes = {path.stem: read_recipe(path).hash() for path in RECIPES}
    assert {name: hashes[name] for name in ("acute-50k-x2", "srgan-x4", "vae-x2")} == {
        "acute-50k-x2": "ee8b2c9fe371",
        "srgan-x4": "cbf0e6d83009",
        "vae-x2": "b1f6b10d595f",
    }


def test_a_recipe_keeps_its_hash_when_options_are_added(recipe: Path) -> None:
    """Otherwise older runs could not be resumed after an update."""
    text = recipe.read_text().replace(f"{recipe.parent.as_posix()}/", "")
    recipe.write_text(text)
    assert read_recipe(recipe).hash() == "54d98efdd913"


def test_the_schema_file_is_up_to_date() -> None:
    """`hyperacuity train --schema > recipes/schema.json` updates it."""
    assert json.loads((RECIPES[0].parent / "schema.json").read_text()) == json.loads(schema())
