"""Branches multiplied into one kernel are the same function as the branches computed one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity import engines, export, zoo
from hyperacuity.errors import UsageError
from hyperacuity.networks import as_network, build, complete_config
from hyperacuity.networks.acute import SIZES, Acute, AcuteConfig
from hyperacuity.zoo import Card

FOLDING = [
    ("span", {"features": 24}),
    ("span", {"features": 16, "norm": False}),
    ("acute", {}),
    ("acute", {"features": 16, "scale": 4}),  # the last layer has as many outputs as inputs
    ("restorer", {"features": 8, "layers": 2, "fine_features": 4, "fine_layers": 1}),
    ("restorer", {"features": 8, "layers": 2, "fine_features": 4, "fine_layers": 1, "scale": 1}),
    ("vae", {"features": 16, "layers": 2}),
]

COUNTS = {"3k": 3_000, "10k": 10_000, "50k": 50_000, "100k": 95_000, "200k": 200_000, "1m": 1_000_000}


def trained(name: str, config: dict[str, Any]) -> nn.Module:
    """With biases that are not zero, as after a training."""
    torch.manual_seed(0)
    network = build(name, config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(-0.1, 0.1)
    return network


@pytest.mark.parametrize(("name", "config"), FOLDING)
def test_folded_equals_unfolded(name: str, config: dict[str, Any]) -> None:
    network = trained(name, config).double()
    folded: Any = network.folded()  # type: ignore[operator]
    multiple = as_network(network).multiple
    x = torch.rand(2, as_network(network).channels, 13 * multiple, 10 * multiple, dtype=torch.float64)
    torch.testing.assert_close(folded(x), network(x), rtol=1e-9, atol=1e-9)
    assert folded.config.folded
    assert folded.folded() is folded
    single, x = folded.float(), x.float()
    reference = network.float()(x)
    assert (single(x) - reference).abs().max() <= 1e-5 * reference.abs().max()
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in network.parameters())


def test_span_computes_its_branches() -> None:
    """Against the paper's figure 4, layer by layer: zeros around, 1x1, 3x3, 1x1, and the parallel 1x1."""
    layer: Any = trained("span", {"features": 12}).get_submodule("block_3.c2_r")
    x = torch.randn(2, 12, 9, 7)
    branches = layer.conv(functional.pad(x, (1, 1, 1, 1))) + layer.sk(x)
    torch.testing.assert_close(layer(x), branches, rtol=0, atol=1e-5)


def test_acute_computes_its_branches() -> None:
    network = trained("acute", {})

    def branches(layer: Any, x: Tensor) -> Tensor:
        y: Tensor = layer.square(x) + layer.point(x) + layer.narrow(layer.widen(x))
        return y

    x = torch.rand(2, 1, 9, 7)
    y = functional.relu(branches(network.get_submodule("first"), x))
    for layer in network.get_submodule("hidden").children():
        y = functional.relu(branches(layer, y) + y)
    y = functional.pixel_shuffle(branches(network.get_submodule("last"), y), 2)
    y = y + functional.interpolate(x, scale_factor=2.0, mode="nearest")
    torch.testing.assert_close(network(x), y, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("size", "count"), COUNTS.items())
def test_acute_comes_in_sizes(size: str, count: int, scale: int) -> None:
    assert COUNTS.keys() == SIZES.keys()
    folded = Acute(AcuteConfig.sized(size, scale)).folded()
    assert sum(p.numel() for p in folded.parameters()) == pytest.approx(count, rel=0.2 if count <= 10_000 else 0.06)
    with pytest.raises(UsageError, match="Did you mean '1m'"):
        AcuteConfig.sized("10m", 2)


@pytest.mark.parametrize("size", COUNTS)
def test_acute_begins_as_the_nearest_neighbour(size: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 16, 16)
    with torch.inference_mode():
        error = Acute(AcuteConfig.sized(size, 2))(x) - functional.interpolate(x, scale_factor=2.0, mode="nearest")
    assert error.abs().mean() < 0.06


def test_what_is_written_is_folded_and_its_last_layer_makes_four_pixels_at_once(tmp_path: Path) -> None:
    network, config = trained("acute", {"features": 16}), {"features": 16}
    card = Card(
        name="acute-x2",
        architecture="acute",
        config=config,
        scale=2,
        channels="Y",
        licence="none",
        trained_on="nothing",
        paper="none",
        **export.measure_network(network),
    )
    export.write_model(network, card, tmp_path)
    written = zoo.open_model(tmp_path / "acute-x2.safetensors")
    assert written.card.config == complete_config("acute", {**config, "folded": True})
    assert written.card.parameters == sum(p.numel() for p in network.folded().parameters())  # type: ignore[operator]
    kernels = [value for value in network.folded().parameters() if value.ndim == 4]  # type: ignore[operator]
    assert written.card.multiply_adds == sum(kernel.numel() for kernel in kernels)  # each once for each pixel
    convolutions = [node for node in onnx.load(str(written.onnx)).graph.node if node.op_type == "Conv"]
    assert [list(onnx.helper.get_node_attr_value(node, "strides")) for node in convolutions[-3:]] == [
        [1, 1],
        [2, 2],
        [2, 2],
    ]
    for engine in engines.ENGINES:
        opened = engines.open(written, engine=engine, device="cpu")
        for sides in ((12, 9), (7, 8), (6, 4), (1, 1)):
            x = torch.rand(2, 1, *sides)
            with torch.inference_mode():
                expected = network(x)
            torch.testing.assert_close(torch.from_numpy(opened.run(x.numpy())), expected, rtol=0, atol=1e-5)
