from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from hyperacuity.evaluate.published import find_published, published_figures
from hyperacuity.networks import complete_config
from hyperacuity.zoo import Card


def test_published_figures_are_found_by_architecture_and_config() -> None:
    card = Card("fsrcnn-x3", "fsrcnn", 3, "Y", "none", "none", "none", {"scale": 3, "d": 56, "s": 12, "m": 4})
    assert find_published(replace(card, config={"scale": 3, "d": 32, "s": 5, "m": 1}), "Set5", 3) is None
    found = find_published(card, "Set5", 3)
    assert found is not None
    assert (found.psnr, found.ssim) == (33.16, 0.9140)
    assert "1608.00367" in found.source
    assert find_published(card, "Kodak24", 3) is None
    assert all(20 < figure.psnr < 45 for figure in published_figures().values())
    assert all(figure.source for figure in published_figures().values())


RECIPES = {"srcnn-x2": "SRCNN", "espcn-x2": "ESPCN", "fsrcnn-x2": "FSRCNN", "vdsr": "VDSR", "esrgan-psnr-x4": "RRDB",
           "edsr-baseline-x2": "EDSR-baseline", "edsr-x2": "EDSR"}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_a_paper_is_compared_with_that_paper(name: str) -> None:
    """A card has the whole config, including the defaults that its recipe omits."""
    model = tomllib.loads((Path(__file__).parents[2] / f"recipes/{name}.toml").read_text())["model"]
    config = complete_config(model["architecture"], model.get("config", {}))
    card = Card(name, model["architecture"], None, "Y", "", "", "", config)
    found = find_published(card, "Set5", 4 if name.endswith("x4") else 2)
    assert found is not None
    assert found.model == RECIPES[name]
