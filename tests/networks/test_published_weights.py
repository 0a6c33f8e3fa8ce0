"""Weights that others trained give, in our networks, the figures that they report: the networks are the same.

Set5 by the papers' protocols: MATLAB's bicubic, a result of 8 bits, a border of `scale` pixels cut. Networks on luma
see the low resolution unrounded and are compared on 8-bit luma; networks on RGB see 8 bits and are compared on luma
that is not rounded, as BasicSR does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from hyperacuity import colour, datasets
from hyperacuity.metrics import psnr
from hyperacuity.networks import as_network, build
from hyperacuity.resize import resize

Weights = dict[str, Tensor]

# Of RGB, by the same protocol.
BICUBIC = {2: 33.67, 3: 30.40, 4: 28.43}
# The names that ESRGAN's first code gave, and those that took their place.
RRDB_NAMES = {
    "RRDB_trunk.": "body.",
    ".RDB": ".rdb",
    "trunk_conv.": "conv_body.",
    "upconv": "conv_up",
    "HRconv.": "conv_hr.",
}


def set5(network: nn.Module, shared: Path, scale: int) -> float:
    """Returns the mean PSNR. A network on an enlarged image has scale 1, therefore `scale` is given separately."""
    network.eval()
    declared = as_network(network)
    figures = []
    for path in datasets.files([shared / "data/benchmarks/Set5"]):
        hr = datasets.read_image(path)
        if declared.channels == 1:
            pair = datasets.pair(datasets.luma(hr), scale, exact=True)
            x = pair.lr if declared.scale == scale else resize(pair.lr, size=pair.hr.shape[:2])
            ours, truth = run(network, x[..., None])[..., 0], pair.hr
        else:
            pair = datasets.pair(hr, scale)
            ours, truth = (colour.luma(rgb.astype(np.float64) / 255) * 255 for rgb in (run(network, pair.lr), pair.hr))
        figures.append(psnr(ours, truth, border=scale, peak=255))
    return float(np.mean(figures))


def run(network: nn.Module, pixels: Any) -> datasets.Pixels8:
    """(H, W, C) on 0..255, through a network on [0, 1]."""
    x = torch.from_numpy(pixels).float().permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        y: Tensor = network(x)[0].permute(1, 2, 0)
    pixels8: datasets.Pixels8 = (y * 255).round().clamp(0, 255).byte().numpy()
    return pixels8


def theirs(path: Path) -> Weights:
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    loaded: Weights = torch.load(path, map_location="cpu", weights_only=True)
    return loaded


def renamed(weights: Weights, names: dict[str, str]) -> Weights:
    """Each key's last part, weight or bias, stays; what stands before it is looked up."""
    return {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in weights.items()}


def test_fsrcnn_of_yjn870(shared: Path) -> None:
    """yjn870/FSRCNN-pytorch, whose README reports 37.12 dB; the keys stand in the same order."""
    weights = theirs(shared / "weights/FSRCNN_yjn870_x2.pth")
    network = build("fsrcnn", {})
    network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))
    assert set5(network, shared, 2) == pytest.approx(37.11, abs=0.02)


def test_srcnn_official(shared: Path) -> None:
    """The authors' 9-1-5 for x2, on 0..255: the range goes into the first and the last layer."""
    weights = theirs(shared / "weights/SRCNN_9-1-5_official_x2_range255.safetensors")
    ours = renamed(weights, {"conv1": "extract", "conv2": "map", "conv3": "reconstruct"})
    ours["extract.weight"] *= 255
    ours["reconstruct.weight"] /= 255
    ours["reconstruct.bias"] /= 255
    network = build("srcnn", {"middle": 1})
    network.load_state_dict(ours)
    assert set5(network, shared, 2) == pytest.approx(36.33, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "figure"), [(2, 37.53), (3, 33.66), (4, 31.35)])
def test_vdsr_official(shared: Path, scale: int, figure: float) -> None:
    weights = theirs(shared / "weights/VDSR_official.safetensors")
    names = {f"conv{n + 1}": f"body.{2 * n}" for n in range(19)} | {"conv20": "last"}
    network = build("vdsr", {})
    network.load_state_dict(renamed(weights, names))
    assert set5(network, shared, scale) == pytest.approx(figure, abs=0.02)


def from_depth_to_space(value: Tensor, r: int = 2) -> Tensor:
    """From TensorFlow's order before a shuffle, (row, column, channel), to PyTorch's, (channel, row, column)."""
    return value.reshape(r, r, -1, *value.shape[1:]).movedim(2, 0).flatten(0, 2)


@pytest.mark.slow
def test_edsr_of_krasserm(shared: Path) -> None:
    """Eight blocks; white is 2 within, where the paper has 255."""
    weights = theirs(shared / "weights/EDSR_8blocks_x2_krasserm.safetensors")
    blocks = [f"body.{n}.{half}" for n in range(8) for half in ("first", "second")]
    ours = {}
    for number, name in enumerate(["head", *blocks, "joint", "upscale.0", "tail"]):
        for kind in ("weight", "bias"):
            value = weights.pop(f"convolution{number}_{kind}")
            ours[f"{name}.{kind}"] = from_depth_to_space(value) if name == "upscale.0" else value
    mean = weights.pop("DIV2K_mean")
    assert weights.keys() == {"neg_DIV2K_mean"}
    network = build("edsr", {"blocks": 8, "rgb_mean": mean.flatten().tolist(), "rgb_range": 2})
    network.load_state_dict(ours)
    assert set5(network, shared, 2) == pytest.approx(37.80, abs=0.02)


@pytest.mark.slow
def test_srresnet_of_eight_blocks(shared: Path) -> None:
    """Named and numbered in the order of the layers; the result is linear."""
    weights = theirs(shared / "weights/SRResNet_8blocks_x4.safetensors")
    blocks = [f"body.{n}" for n in range(8)]
    convolutions = ["head.0", *(f"{b}.{h}" for b in blocks for h in ("first", "second")), "joint.0"]
    convolutions += ["upscale.0", "upscale.3", "tail"]
    norms = [*(f"{b}.{h}" for b in blocks for h in ("norm1", "norm2")), "joint.1"]
    slopes = ["head.1", *(f"{b}.prelu" for b in blocks), "upscale.2", "upscale.5"]
    network = build("srresnet", {"scale": 4, "blocks": 8})
    ours = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    for number, name in enumerate(convolutions):
        for kind in ("weight", "bias"):
            if (value := weights.pop(f"convolution{number}_{kind}", None)) is not None:
                ours[f"{name}.{kind}"] = value
    kinds = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_var"}
    for number, name in enumerate(norms):
        ours |= {f"{name}.{our}": weights.pop(f"batchnorm{number}_{their}") for our, their in kinds.items()}
    for number, name in enumerate(slopes):
        ours[f"{name}.weight"] = weights.pop(f"leakyrelu{number}_weight")
    assert not weights
    network.load_state_dict(ours)
    assert set5(network, shared, 4) == pytest.approx(31.88, abs=0.02)


@pytest.mark.parametrize("scale", [3, 4])
def test_espcn_of_nhat_thanh(shared: Path, scale: int) -> None:
    """On RGB, with tanh. No figure by this protocol is known; it is better than bicubic."""
    weights = theirs(shared / f"weights/ESPCN_nhat-thanh_x{scale}.pt")
    network = build("espcn", {"scale": scale, "channels": 3})
    network.load_state_dict(renamed(weights, {"conv_1": "extract", "conv_2": "map", "conv_3": "expand"}))
    assert set5(network, shared, scale) > BICUBIC[scale]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [2, 4])
def test_srgan_of_leftthomas(shared: Path, scale: int) -> None:
    """Five blocks, one slope for all channels; the bias before each normalisation goes into the mean it takes off.

    Trained against a discriminator, it has no figure in PSNR; it is far above bicubic all the same.
    """
    weights = theirs(shared / f"weights/SRGAN_leftthomas_x{scale}.pth")
    names = {"block1.0": "head.0", "block1.1": "head.1", "block7.0": "joint.0", "block7.1": "joint.1"}
    parts = {"conv1": "first", "bn1": "norm1", "prelu": "prelu", "conv2": "second", "bn2": "norm2"}
    for n in range(5):
        names |= {f"block{n + 2}.{their}": f"body.{n}.{our}" for their, our in parts.items()}
    for n in range(scale // 2):
        names |= {f"block8.{n}.conv": f"upscale.{3 * n}", f"block8.{n}.prelu": f"upscale.{3 * n + 2}"}
    names[f"block8.{scale // 2}"] = "tail"
    ours = renamed(weights, names)
    for n in range(5):
        for convolution, norm in (("first", "norm1"), ("second", "norm2")):
            ours[f"body.{n}.{norm}.running_mean"] -= ours.pop(f"body.{n}.{convolution}.bias")
    network = build("srresnet", {"scale": scale, "blocks": 5, "output": "tanh", "joint": "prelu"})
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            ours[name] = value
        elif ours[name].shape == (1,) != value.shape:
            ours[name] = ours[name].expand_as(value)
    network.load_state_dict(ours)
    assert set5(network, shared, scale) > BICUBIC[scale] + 1


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "figure"), [(2, 38.00), (3, 34.36), (4, 32.21)])
def test_imdn(shared: Path, scale: int, figure: float) -> None:
    """Table 5 of the paper."""
    network = build("imdn", {"scale": scale})
    foreign = theirs(shared / f"weights/IMDN_x{scale}.pth")
    network.load_state_dict({name.removeprefix("module."): value for name, value in foreign.items()})
    assert set5(network, shared, scale) == pytest.approx(figure, abs=0.02)


@pytest.mark.slow
def test_rrdb(shared: Path) -> None:
    """Table 2 of the paper: "Ours", trained for PSNR on DF2K. The weights are rounded to half precision."""
    foreign = theirs(shared / "weights/RRDB_PSNR_x4_fp16.safetensors")
    ours = {}
    for name, value in foreign.items():
        for old, new in RRDB_NAMES.items():
            name = name.replace(old, new)  # noqa: PLW2901
        ours[name] = value.float()
    network = build("rrdb", {})
    network.load_state_dict(ours)
    assert set5(network, shared, 4) == pytest.approx(32.73, abs=0.03)


@pytest.mark.parametrize(("name", "convs"), [("realesr-animevideov3", 16), ("realesr-general-x4v3", 32)])
def test_compact(shared: Path, name: str, convs: int) -> None:
    """No figures are published. It is trained for damaged images and sharpens clean ones: a PSNR just below bicubic."""
    network = build("compact", {"convs": convs}).eval()
    network.load_state_dict(theirs(shared / f"weights/{name}.safetensors"))
    hr = datasets.read_image(shared / "data/benchmarks/Set5/bird.png")
    lr = resize(hr, scale=1 / 4)
    images = {"truth": hr, "bicubic": resize(lr, scale=4), "ours": run(network, lr)}
    y = {name: colour.luma(image.astype(np.float64) / 255) * 255 for name, image in images.items()}
    figure, bicubic = (psnr(y[name], y["truth"], border=4, peak=255) for name in ("ours", "bicubic"))
    assert bicubic - 3 < figure < bicubic
    assert np.abs(resize(images["ours"], scale=1 / 4).astype(int) - lr).mean() < 8
