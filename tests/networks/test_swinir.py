"""SwinIR: its windows, its attention and its steps of enlargement."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.test_networks import built


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_swinir_goes_by_steps(scale: int) -> None:
    network = built("swinir", scale=scale, upsampler="pixelshuffle")
    assert network(torch.rand(1, 3, 8, 16)).shape == (1, 3, 8 * scale, 16 * scale)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_one_for_photos_doubles_by_the_nearest_neighbour(scale: int) -> None:
    network = built("swinir", scale=scale, upsampler="nearest+conv", joint="3conv")
    answer = network(torch.rand(1, 3, 8, 16))
    assert answer.shape == (1, 3, 8 * scale, 16 * scale)
    answer.mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_swinir_sees_no_pixel_of_the_opposite_border() -> None:
    """The windows that wrap around are masked: a change at one border does not reach the other."""
    network = built("swinir").eval()
    x = torch.rand(1, 3, 48, 48)
    y = x.clone()
    y[..., :8, :] += 0.5
    with torch.inference_mode():
        difference = (network(y) - network(x)).abs().amax((0, 1, 3))  # (2 * 48)
    assert difference[:16].min() > 0
    assert difference[-32:].max() == 0


def test_swinir_attends_as_its_paper_writes() -> None:
    """One layer against attention computed pixel by pixel (Swin Transformer, equation 4)."""
    layer: Any = built("swinir", window=2).get_submodule("layers.0.residual_group.blocks.0.attn")
    x = torch.randn(1, 4, 12)
    query, key, value = layer.qkv(x)[0].split(12, 1)
    expected = torch.zeros(4, 12)
    for head in range(2):
        part = slice(6 * head, 6 * head + 6)
        for i in range(4):
            bias = [(i // 2 - j // 2 + 1) * 3 + (i % 2 - j % 2 + 1) for j in range(4)]
            scores = torch.stack([query[i, part] @ key[j, part] / 6**0.5 for j in range(4)])
            weights = (scores + layer.relative_position_bias_table[bias, head]).softmax(0)
            expected[i, part] = weights @ value[:, part]
    torch.testing.assert_close(layer(x, None)[0], layer.proj(expected))
