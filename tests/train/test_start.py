from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hyperacuity.errors import UnknownModel, UsageError
from hyperacuity.export import measured, write
from hyperacuity.networks import build
from hyperacuity.train import start
from hyperacuity.train.checkpoint import save
from hyperacuity.zoo import Card


def test_a_model_of_the_zoo_is_begun_from() -> None:
    network = build("fsrcnn", {})
    start.begin_from(network, "fsrcnn-x2")
    x = torch.rand(1, 1, 12, 12)
    assert torch.equal(network(x), start.model("fsrcnn-x2")(x))


def test_what_does_not_fit_begins_fresh() -> None:
    network = build("espcn", {"scale": 3})
    other = build("espcn", {"scale": 2}).state_dict()
    assert {k for k, v in network.state_dict().items() if v.shape != other[k].shape}
    with pytest.raises(UsageError, match="no weight of fsrcnn-x2 fits"):
        start.begin_from(network, "fsrcnn-x2")


def test_the_best_of_a_training_is_begun_from(tmp_path: Path) -> None:
    before = build("acute", {"features": 4, "layers": 1})
    save(tmp_path / "best.pt", {"recipe": "", "step": 1, "weights": before.state_dict()})
    network = build("acute", {"features": 4, "layers": 1, "scale": 3})
    with pytest.warns(start.StartWarning, match=r"fresh, since .*best\.pt has none that fit: last\."):
        start.begin_from(network, str(tmp_path / "best.pt"))
    assert torch.equal(network.get_parameter("first.point.weight"), before.get_parameter("first.point.weight"))


def test_folded_branches_are_not_begun_from_unseen(tmp_path: Path) -> None:
    network = build("acute", {"features": 4, "layers": 1})
    card = Card("a-x2", "acute", 2, "Y", "", "", "", {"features": 4, "layers": 1}, **measured(network))
    write(network, card, tmp_path)
    with pytest.raises(UsageError, match="folded"):
        start.begin_from(build("acute", {"features": 4, "layers": 1}), str(tmp_path / "a-x2.safetensors"))
    folded = build("acute", {"features": 4, "layers": 1, "folded": True})
    start.begin_from(folded, str(tmp_path / "a-x2.safetensors"))
    x = torch.rand(1, 1, 9, 9)
    torch.testing.assert_close(folded(x), network.eval()(x), rtol=1e-4, atol=1e-5)


def test_resamplers_and_strangers_are_no_models_to_begin_from() -> None:
    with pytest.raises(UsageError, match="bicubic is a resampler"):
        start.model("bicubic")
    with pytest.raises(UnknownModel, match="no model 'fsrcn'"):
        start.model("fsrcn")
