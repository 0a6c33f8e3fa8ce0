from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from hyperacuity.errors import UnknownModel, UsageError
from hyperacuity.export import measure_network, write_model
from hyperacuity.networks import as_network, build
from hyperacuity.train import start
from hyperacuity.train.checkpoint import save
from hyperacuity.zoo import Card


def test_a_run_starts_from_a_model_of_the_zoo() -> None:
    network = build("fsrcnn", {})
    start.initialise(network, "fsrcnn-x2")
    x = torch.rand(1, 1, 12, 12)
    assert torch.equal(network(x), start.open_network("fsrcnn-x2")(x))


def test_weights_that_do_not_fit_are_not_taken_over() -> None:
    network = build("espcn", {"scale": 3})
    other = build("espcn", {"scale": 2}).state_dict()
    assert {k for k, v in network.state_dict().items() if v.shape != other[k].shape}
    with pytest.raises(UsageError, match="no weight of fsrcnn-x2 fits"):
        start.initialise(network, "fsrcnn-x2")


def test_a_run_starts_from_the_best_weights_of_another(tmp_path: Path) -> None:
    before = build("acute", {"features": 4, "layers": 1})
    save(tmp_path / "best.pt", {"recipe": "", "step": 1, "weights": before.state_dict()})
    network = build("acute", {"features": 4, "layers": 1, "scale": 3})
    with pytest.warns(
        start.StartWarning, match=r"initialised afresh, since .*best\.pt has no weights that fit: last\."
    ):
        start.initialise(network, str(tmp_path / "best.pt"))
    assert torch.equal(network.get_parameter("first.point.weight"), before.get_parameter("first.point.weight"))


def test_a_run_starts_from_the_averaged_weights_of_an_unfinished_one(tmp_path: Path) -> None:
    before = build("fsrcnn", {"d": 8})
    save(tmp_path / "step-1.pt", {"recipe": "", "step": 1, "network": {}, "average": before.state_dict()})
    network = build("fsrcnn", {"d": 8})
    start.initialise(network, str(tmp_path / "step-1.pt"))
    assert torch.equal(network.get_parameter("expand.0.weight"), before.get_parameter("expand.0.weight"))
    with pytest.raises(UsageError, match=r"there is no checkpoint .*best\.pt: train it first"):
        start.initialise(network, str(tmp_path / "best.pt"))


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("name", ["acute", "restorer", "vae"])
def test_a_folded_model_can_be_trained_further_folded_or_with_branches(name: str, folded: bool, tmp_path: Path) -> None:
    config: dict[str, Any] = {"features": 4, "layers": 1, "scale": 2}
    network = build(name, config)
    channels = as_network(network).channels
    card = Card("a-x2", name, 2, "Y" if channels == 1 else "RGB", "", "", "", config, **measure_network(network))
    write_model(network, card, tmp_path)
    again = build(name, {**config, "folded": folded})
    start.initialise(again, str(tmp_path / "a-x2.safetensors"))
    x = torch.rand(1, channels, 10, 10)
    torch.testing.assert_close(again(x), network.eval()(x), rtol=1e-4, atol=1e-5)
    if name == "vae":
        drawn = [one.sample(x, torch.Generator().manual_seed(1)) for one in (again, network)]  # type: ignore[operator]
        torch.testing.assert_close(*drawn, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_restorer_starts_with_the_shrunk_result_of_one_of_a_larger_scale(
    scale: int, folded: bool, tmp_path: Path
) -> None:
    config: dict[str, Any] = {"features": 4, "layers": 1, "fine_features": 4, "fine_layers": 1}
    before = build("restorer", config | {"scale": 4})
    with torch.no_grad():
        for parameter in before.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)  # the last layer begins nearly at zero
    card = Card("a-x4", "restorer", 4, "RGB", "", "", "", config | {"scale": 4}, **measure_network(before))
    write_model(before, card, tmp_path)
    network = build("restorer", config | {"scale": scale, "folded": folded})
    start.initialise(network, str(tmp_path / "a-x4.safetensors"))
    x = torch.rand(1, 3, 12, 14)
    torch.testing.assert_close(network(x), functional.avg_pool2d(before(x), 4 // scale), atol=1e-4, rtol=1e-4)


def test_only_the_fitting_weights_of_a_folded_model_are_unfolded() -> None:
    network = build("acute", {"features": 32, "layers": 6, "scale": 3})
    with pytest.warns(start.StartWarning, match=r"has no weights that fit: last\."):
        start.initialise(network, "acute-50k-x2")
    folded: Any = start.open_network("acute-50k-x2")
    kernel, bias = network.hidden[2].kernel()  # type: ignore[index,union-attr]
    torch.testing.assert_close(kernel, folded.hidden[2].square.weight)
    torch.testing.assert_close(bias, folded.hidden[2].square.bias)
    assert network.hidden[2].widen.weight.abs().max() > 0  # type: ignore[index,union-attr]


def test_a_vae_starts_with_the_result_of_acute() -> None:
    network = build("vae", {"layers": 7})
    with pytest.warns(start.StartWarning, match=r"has no weights that fit: posterior\..*decoder\."):
        start.initialise(network, "acute-50k-x2")
    x = torch.rand(1, 1, 12, 12)
    torch.testing.assert_close(network(x), start.open_network("acute-50k-x2")(x), rtol=1e-4, atol=1e-5)


def test_additional_layers_do_nothing_at_first() -> None:
    network, shallow = build("acute", {"features": 32, "layers": 8}), start.open_network("acute-50k-x2")
    start.initialise(network, "acute-50k-x2")
    x = torch.rand(1, 1, 12, 12)
    torch.testing.assert_close(network(x), shallow(x), rtol=1e-4, atol=1e-5)
    wider = build("acute", {"features": 48, "layers": 9})
    with pytest.raises(UsageError, match="no weight of acute-50k-x2 fits"):
        start.initialise(wider, "acute-50k-x2")


def test_a_folded_model_that_cannot_be_unfolded_raises(tmp_path: Path) -> None:
    config = {"features": 4, "scale": 2}
    network = build("span", config)
    card = Card("s-x2", "span", 2, "RGB", "", "", "", config, **measure_network(network))
    write_model(network, card, tmp_path)
    with pytest.raises(UsageError, match="folded into one"):
        start.initialise(build("span", config), str(tmp_path / "s-x2.safetensors"))


def test_reinitialised_weights_are_not_taken_over() -> None:
    network, other = build("fsrcnn", {"scale": 3}), build("fsrcnn", {"scale": 3})
    start.initialise(network, "fsrcnn-x2", reinitialise=("deconvolve.",))
    learnt, fresh = start.open_network("fsrcnn-x2"), "deconvolve.bias"
    assert torch.equal(network.get_parameter("map.3.0.weight"), learnt.get_parameter("map.3.0.weight"))
    assert torch.equal(network.get_parameter(fresh), other.get_parameter(fresh))
    assert not torch.equal(network.get_parameter(fresh), learnt.get_parameter(fresh))


def test_resamplers_and_unknown_names_raise() -> None:
    with pytest.raises(UsageError, match="bicubic is a resampler"):
        start.open_network("bicubic")
    with pytest.raises(UnknownModel, match="no model 'fsrcn'"):
        start.open_network("fsrcn")
