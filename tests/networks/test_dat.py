"""DAT: its windows, its attention between channels, its weights of channels and pixels, any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.importer.checkpoints import saved
from tests.test_networks import built
from torch import Tensor, nn

from hyperacuity import engines, export, importer, zoo
from hyperacuity.errors import UsageError, Use, WeightsError
from hyperacuity.networks import NETWORKS, build, complete_config
from hyperacuity.networks.windows import shifted_mask
from hyperacuity.zoo import Card

# The forms that the authors publish.
LIGHT = {"features": 60, "groups": 1, "layers": 18, "upsampler": "pixelshuffledirect", "joint": "3conv"}
FORMS: dict[str, dict[str, Any]] = {
    "DAT": {},
    "DAT-S": {"split": (8, 16), "expansion": 2},
    "DAT-2": {"expansion": 2},
    "DAT-light": {"expansion": 2, **LIGHT},
}


def random(network: nn.Module) -> Any:
    """The network in evaluation mode, with other weights and statistics than those it begins with."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.add_(noise.abs() if name.endswith("running_var") else 0.1 * noise)
    return network.eval()


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("form", FORMS)
def test_the_published_layout_is_that_of_our_network(form: str, scale: int) -> None:
    """Shapes by the paper's settings: channels C, heads, perceptrons e C wide, C / 8 and C / 16 in the interaction."""
    with torch.device("meta"):
        network = build("dat", {"scale": scale, **FORMS[form]})
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    light = form == "DAT-light"
    c, wide = (60, 120) if light else (180, 720 if form == "DAT" else 360)
    bias = (c // 2) // 16
    spatial, channel = "layers.0.blocks.0.", "layers.0.blocks.1."
    assert shapes["before_RG.1.weight"] == shapes["norm.bias"] == (c,)
    for block in (spatial, channel):
        assert shapes[f"{block}attn.qkv.weight"] == (3 * c, c)
        assert shapes[f"{block}attn.dwconv.0.weight"] == (c, 1, 3, 3)
        assert shapes[f"{block}attn.channel_interaction.1.weight"] == (c // 8, c, 1, 1)
        assert shapes[f"{block}attn.channel_interaction.4.weight"] == (c, c // 8, 1, 1)
        assert shapes[f"{block}attn.spatial_interaction.0.weight"] == (c // 16, c, 1, 1)
        assert shapes[f"{block}attn.spatial_interaction.3.weight"] == (1, c // 16, 1, 1)
        assert shapes[f"{block}ffn.fc1.weight"] == (wide, c)
        assert shapes[f"{block}ffn.sg.conv.weight"] == (wide // 2, 1, 3, 3)
        assert shapes[f"{block}ffn.fc2.weight"] == (c, wide // 2)
    for half in (0, 1):
        assert shapes[f"{spatial}attn.attns.{half}.pos.pos_proj.weight"] == (bias, 2)
        assert shapes[f"{spatial}attn.attns.{half}.pos.pos2.2.weight"] == (bias, bias)
        assert shapes[f"{spatial}attn.attns.{half}.pos.pos3.2.weight"] == (3, bias)
    assert shapes[f"{channel}attn.temperature"] == (6, 1, 1)
    assert f"{spatial}attn.temperature" not in shapes
    assert f"{channel}attn.attns.0.pos.pos_proj.weight" not in shapes
    if light:
        assert shapes["layers.0.conv.2.weight"] == (15, 15, 1, 1)
        assert shapes["upsample.0.weight"] == (3 * scale**2, 60, 3, 3)
        assert "conv_last.weight" not in shapes
    else:
        assert shapes["layers.5.conv.weight"] == shapes["conv_after_body.weight"] == (180, 180, 3, 3)
        assert shapes["conv_before_upsample.0.weight"] == (64, 180, 3, 3)
        assert shapes["conv_last.weight"] == (3, 64, 3, 3)
        assert ("upsample.2.weight" in shapes) == (scale == 4)


def test_attention_in_windows_is_as_the_papers_write() -> None:
    """One shape of windows, shifted, against attention computed pixel by pixel, the bias included."""
    part: Any = random(built("dat", heads=4, split=(2, 4))).get_submodule("layers.0.blocks.2.attn.attns.1")
    assert part.window == (4, 2)
    assert part.shifted
    rows, columns, features = 8, 6, 48
    qkv = torch.randn(1, rows, columns, 3 * features, generator=torch.Generator().manual_seed(2))
    query, key, value = qkv[0].chunk(3, -1)
    expected = torch.zeros(rows, columns, features)
    for y in range(rows):
        for x in range(columns):
            # Shifted by half a window, and cut at the border of the image.
            seen = [
                (v, u)
                for v in range(rows)
                for u in range(columns)
                if (v + 2) // 4 == (y + 2) // 4 and (u + 1) // 2 == (x + 1) // 2
            ]
            for head in range(2):
                own = slice(24 * head, 24 * head + 24)
                scores = []
                for v, u in seen:
                    bias = part.pos.pos_proj(torch.tensor([float(y - v), float(x - u)]))
                    for layer in (part.pos.pos1, part.pos.pos2, part.pos.pos3):
                        bias = layer(bias)
                    scores.append(query[y, x, own] @ key[v, u, own] / 24**0.5 + bias[head])
                weights = torch.stack(scores).softmax(0)
                expected[y, x, own] = sum(w * value[v, u, own] for w, (v, u) in zip(weights, seen, strict=True))
    mask = shifted_mask(torch.zeros(1, rows, columns, 1), part.window)
    torch.testing.assert_close(part(qkv, mask)[0], expected, rtol=1e-4, atol=1e-5)


def test_attention_between_channels_is_as_the_paper_writes() -> None:
    """The cosine between two channels over the whole image, times a temperature."""
    layer: Any = random(built("dat")).get_submodule("layers.0.blocks.1.attn")
    x = torch.randn(1, 5, 7, 96, generator=torch.Generator().manual_seed(2))
    query, key, value = layer.qkv(x)[0].flatten(0, 1).T.chunk(3)  # (96, 35) each
    seen = torch.zeros(96, 35)
    for i in range(96):
        head = i // 48
        others = range(48 * head, 48 * head + 48)
        cosines = torch.stack([query[i] @ key[j] / (query[i].norm() * key[j].norm()) for j in others])
        weights = (cosines * layer.temperature[head, 0, 0]).softmax(0)
        seen[i] = weights @ value[48 * head : 48 * head + 48]
    seen = seen.view(1, 96, 5, 7)
    local = layer.dwconv(value.view(1, 96, 5, 7))
    by_pixel = layer.spatial_interaction(local).sigmoid()
    means = seen.flatten(2).mean(-1)[..., None, None]
    by_channel = layer.channel_interaction[1:](means).sigmoid()
    expected = layer.proj((seen * by_pixel + local * by_channel).permute(0, 2, 3, 1))
    torch.testing.assert_close(layer(x, []), expected, rtol=1e-4, atol=1e-5)


def test_windows_shift_by_turns_through_all_groups() -> None:
    for groups, layers in ((6, 6), (1, 18), (2, 3)):
        with torch.device("meta"):
            network: Any = build("dat", {"groups": groups, "layers": layers})
        shifts = [
            [layer.attn.shifted for layer in list(group.blocks)[::2]]  # every second looks between channels
            for group in network.layers
        ]
        for number, group in enumerate(shifts):
            assert group == [(number + place) % 2 == 1 for place in range(len(group))]


def test_it_follows_an_image_that_moves_by_whole_windows() -> None:
    """The result moves with the image, and does not if it moves by a pixel.

    Without masks and with convolutions that wrap around, so that the image has no border.
    """
    network = random(built("dat", split=(2, 4)))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.padding != (0, 0):
            layer.padding_mode = "circular"
            layer._reversed_padding_repeated_twice = [1, 1, 1, 1]
    for module in network.modules():
        if hasattr(module, "within"):
            module.within.register_forward_pre_hook(lambda _, inputs: (*inputs[:2], None))
    x = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        plain = network(x)
        torch.testing.assert_close(network(x.roll((4, 8), (2, 3))), plain.roll((8, 16), (2, 3)), rtol=0, atol=1e-4)
        assert (network(x.roll((0, 1), (2, 3))) - plain.roll((0, 2), (2, 3))).abs().max() > 1e-2


def test_no_window_sees_the_opposite_border() -> None:
    """With all that looks at the whole image held, a change at one border does not reach the other."""
    network = random(built("dat"))
    outputs: dict[nn.Module, Tensor] = {}

    def held(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return outputs.setdefault(module, output)

    for module in network.modules():
        if getattr(module, "whole", False):
            module.register_forward_hook(held)
    x = torch.rand(1, 3, 64, 64)
    y = x.clone()
    y[..., :8, :] += 0.5
    with torch.inference_mode():
        difference = (network(x) - network(y)).abs().amax((0, 1, 3))  # (2 * 64)
    assert difference[:16].min() > 0
    assert difference[-32:].max() == 0


def test_zeros_are_added_for_the_windows_only() -> None:
    """With one kind of window as large as the image or larger, pixels beyond it are seen as zero queries and keys."""
    network = random(built("dat", layers=1, split=(8, 8)))
    layer: Any = network.get_submodule("layers.0.blocks.0.attn")
    x = torch.randn(1, 5, 6, 96, generator=torch.Generator().manual_seed(2))
    qkv = layer.qkv(x)
    beyond = torch.zeros(1, 8, 8, 3 * 96)
    beyond[:, :5, :6] = qkv
    seen = []
    for half, part in enumerate(layer.attns):
        own = torch.cat([beyond[..., n * 96 + half * 48 : n * 96 + half * 48 + 48] for n in range(3)], -1)
        seen.append(part(own, torch.zeros(1, 64, 64))[:, :5, :6])
    local = layer.dwconv(qkv[..., 192:].permute(0, 3, 1, 2))
    expected = layer.interact(torch.cat(seen, -1).permute(0, 3, 1, 2), local)
    torch.testing.assert_close(layer(x, [torch.zeros(1, 64, 64)] * 2), expected)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("upsampler", ["pixelshuffle", "pixelshuffledirect"])
def test_it_enlarges_any_size(scale: int, upsampler: str) -> None:
    network = built("dat", scale=scale, upsampler=upsampler, layers=1).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 5, 9)).shape == (1, 3, 5 * scale, 9 * scale)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"scale": 5}, "not x5"),
        ({"upsampler": "nearest+conv"}, "there are pixelshuffle, pixelshuffledirect"),
        ({"joint": "2conv"}, "there are 1conv"),
        ({"split": (8, 12)}, "windows of 8 x 12"),
        ({"split": (64, 64)}, "at most 1024 pixels"),
        ({"split": (0, 0)}, "cannot be built"),
        ({"heads": 5}, "5 heads"),
        ({"heads": 8}, "8 heads"),
    ],
)
def test_an_impossible_config_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        build("dat", config)


def test_the_halo_is_that_of_windows_with_what_sees_all_held() -> None:
    """A shifted 4 x 8 window around the middle pixel, then one in place, and convolutions between and around them."""
    measured = export.measure_network(built("dat"))
    assert measured["whole"] is True
    assert 8 < measured["halo"] <= 8 + 4 + 4 + 5


def test_weights_without_their_buffers_do_not_say_their_windows(tmp_path: Path) -> None:
    path = saved(built("dat").state_dict(), tmp_path / "w-x2.pth")
    with pytest.raises(UsageError, match="do not determine their split") as caught:
        importer.recognise_file(path)
    assert Use(settings={"split": (8, 32)}) in caught.value.cures
    assert importer.recognise_file(path, settings={"split": [4, 8]}).config["split"] == [4, 8]


def test_another_form_is_named(tmp_path: Path) -> None:
    weights = built("dat").state_dict()
    del weights["layers.0.blocks.1.attn.qkv.bias"]
    weights["layers.0.blocks.0.attn.attns.0.rpe_biases"] = torch.tensor([[3.0, 7.0]]).expand(7 * 15, 2)
    path = saved({"params_ema": weights}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"DAT of its authors, but it lacks layers.0.blocks.1.attn.qkv.bias"):
        importer.recognise_file(path)
    weights["layers.0.blocks.0.attn.attns.0.rpe_biases"] = torch.tensor([[3.0, 9.0]]).expand(7 * 15, 2)
    with pytest.raises(WeightsError, match=r"its offsets are not those of windows"):
        importer.recognise_file(saved(weights, tmp_path / "v.pth"))


def test_what_is_exported_gives_the_same_for_any_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of the light form; tests/test_engines.py has the other one."""
    config = dict(NETWORKS["dat"].small) | {"layers": 1, "split": (2, 4), "scale": 3}
    config |= {"upsampler": "pixelshuffledirect", "joint": "3conv"}
    network = build("dat", config).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_normal_(parameter)
    scale = config["scale"]
    complete = complete_config("dat", config)
    card = Card("p", "dat", scale, "RGB", "none", "none", "none", complete, **export.measure_network(network))
    export.write_model(network, card, tmp_path)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    engine = engines.open(zoo.open_model(tmp_path / "p.onnx"), engine="onnxruntime", device="cpu")
    for count, height, width in ((1, 21, 34), (2, 8, 16), (1, 1, 1), (1, 3, 40)):
        x = np.random.default_rng(0).random((count, 3, height, width), np.float32)
        with torch.inference_mode():
            theirs = network(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(engine.run(x), theirs, atol=1e-4 * max(1.0, float(np.abs(theirs).max())))
