from __future__ import annotations

from pathlib import Path

import pytest

from hyperacuity.errors import UsageError
from hyperacuity.train import read_recipe

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
        ({"loss": "l3"}, "loss: .*'l1'"),
        ({"steps.a": "1"}, "cannot set steps.a"),
    ],
)
def test_mistakes_are_named(changes: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_recipe(RECIPES[0], changes)


@pytest.mark.parametrize("content", ["steps = ", "\x00", 'steps = 3\n[model]\nname="x"'])
def test_files_that_are_no_recipes_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"r\.toml"):
        read_recipe(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_recipe(tmp_path / "none.toml")


def test_values_are_set_as_toml_writes_them() -> None:
    recipe = read_recipe(RECIPES[0], {"optimizer.lr": "5e-4", "loss": "mse", "data.rescale": "[1.0, 0.5]"})
    assert recipe.optimizer.lr == 5e-4
    assert recipe.loss == "mse"
    assert recipe.data.rescale == (1.0, 0.5)


def test_the_hash_follows_what_decides_the_weights() -> None:
    recipe = read_recipe(RECIPES[0])
    assert recipe.hash() == read_recipe(RECIPES[0], {"validate_every": "7", "data.reports": "[]"}).hash()
    assert recipe.hash() != read_recipe(RECIPES[0], {"optimizer.lr": "5e-4"}).hash()
    assert recipe.hash() != read_recipe(RECIPES[0], {"seed": "99"}).hash()
