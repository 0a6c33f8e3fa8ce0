"""Checkpoints of others: each of the published ones, each layout by its own names, each way a file can be wrong."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from tests.networks.test_published_weights import BICUBIC, set5
from tests.test_networks import built
from torch import Tensor, nn

import hyperacuity
from hyperacuity import export, importer, zoo
from hyperacuity.errors import HyperacuityError, UsageError, Use, WeightsError
from hyperacuity.importer import recognition
from hyperacuity.networks import NETWORKS, build
from hyperacuity.networks.state_dicts import count_modules
from hyperacuity.zoo import Card

Weights = dict[str, Tensor]

# Every file of weights/: its network and what tells it, or a part of why it is refused.
PUBLISHED: dict[str, tuple[str, dict[str, Any]] | str] = {
    "EDSR_8blocks_x2_krasserm.safetensors": ("edsr", {"scale": 2, "blocks": 8, "rgb_range": 2.0}),
    "ESPCN_nhat-thanh_x3.pt": ("espcn", {"scale": 3, "channels": 3, "activation": "tanh"}),
    "ESPCN_nhat-thanh_x4.pt": ("espcn", {"scale": 4, "channels": 3, "activation": "tanh"}),
    "FSRCNN_yjn870_x2.pth": ("fsrcnn", {"scale": 2, "d": 56, "s": 12, "m": 4}),
    "FSRCNN_yjn870_x4.pth": ("fsrcnn", {"scale": 4, "d": 56, "s": 12, "m": 4}),
    "IMDN_x2.pth": ("imdn", {"scale": 2, "features": 64, "blocks": 6, "reduction": 16}),
    "IMDN_x3.pth": ("imdn", {"scale": 3, "features": 64, "blocks": 6, "reduction": 16}),
    "IMDN_x4.pth": ("imdn", {"scale": 4, "features": 64, "blocks": 6, "reduction": 16}),
    "RRDB_PSNR_x4_fp16.safetensors": ("rrdb", {"scale": 4, "features": 64, "growth": 32, "blocks": 23}),
    "SRCNN_9-1-5_official_x2_range255.safetensors": ("srcnn", {"middle": 1, "padding": "replicate"}),
    "SRGAN_leftthomas_x2.pth": ("srresnet", {"scale": 2, "blocks": 5, "joint": "prelu", "output": "tanh"}),
    "SRGAN_leftthomas_x4.pth": ("srresnet", {"scale": 4, "blocks": 5, "joint": "prelu", "output": "tanh"}),
    "SRResNet_8blocks_x4.safetensors": ("srresnet", {"scale": 4, "blocks": 8, "joint": "norm"}),
    "VDSR_official.safetensors": ("vdsr", {"depth": 20, "width": 64}),
    "VDSR_twtygqyy_whole_module_pickle.pth": "run the code of vdsr.Net",
    "lpips_squeeze_linear.pth": "LPIPS",
    "realesr-animevideov3.safetensors": ("compact", {"scale": 4, "convs": 16, "activation": "prelu"}),
    "realesr-general-x4v3.safetensors": ("compact", {"scale": 4, "convs": 32, "activation": "prelu"}),
    "squeezenet1_1.safetensors": "a classifier",
}


def test_every_published_file_is_in_the_table(shared: Path) -> None:
    assert PUBLISHED.keys() == {path.name for path in (shared / "weights").iterdir()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights(shared: Path, name: str) -> None:
    expected = PUBLISHED[name]
    if isinstance(expected, str):
        with pytest.raises(WeightsError, match=expected):
            importer.recognise_file(shared / "weights" / name)
        return
    found = importer.recognise_file(shared / "weights" / name)
    assert found.architecture == expected[0]
    assert found.config.items() >= expected[1].items()
    network = build(found.architecture, found.config)
    network.load_state_dict(found.weights)
    assert all(value.dtype == torch.float32 for value in network.parameters())


@pytest.mark.parametrize(("name", "scale", "channels"), [("FSRCNN_yjn870_x2", 2, "Y"), ("IMDN_x2", 2, "RGB")])
def test_an_imported_model_works(shared: Path, tmp_path: Path, name: str, scale: int, channels: str) -> None:
    card = importer.convert(shared / f"weights/{name}.pth", tmp_path, licence="MIT")
    assert (card.name, card.scale, card.channels) == (name, scale, channels)
    assert (card.licence, card.trained_on) == ("MIT", "unknown")
    assert card.paper.startswith("arXiv")
    assert card.halo > 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.safetensors", f"{name}.onnx"}
    y, x = np.mgrid[0:20, 0:24]
    picture = np.stack([x * 10, y * 12, (x + y) * 5], -1).astype(np.uint8)
    larger = hyperacuity.load(tmp_path / f"{name}.safetensors").array(picture, 2)
    assert larger.shape == (40, 48, 3)
    # A smooth picture stays itself.
    assert np.abs(larger.reshape(20, 2, 24, 2, 3).mean((1, 3)) - picture).mean() < 3


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter takes seconds, and has its own tests."""
    monkeypatch.setattr(export, "to_onnx", lambda network, card: b"onnx")


def saved(weights: Any, path: Path) -> Path:
    torch.save(weights, path)
    return path


# Our own names. What no weights say: where it is not the network's default, it must be given.
UNSAID = {"activation", "beta", "output", "padding", "residual", "rgb_mean", "rgb_range"}


def bare(name: str, noise: float = 0.01, **config: Any) -> tuple[nn.Module, Weights]:
    network = built(name, **config)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():  # nothing is left as it began
        parameter.data += noise * torch.randn(parameter.shape, generator=generator)
    return network, network.state_dict()


@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_state_dicts(name: str, tmp_path: Path) -> None:
    network, weights = bare(name)
    path = saved({"state_dict": weights}, tmp_path / "some-x2.ckpt")
    unsaid = {field: value for field, value in NETWORKS[name].small.items() if field in UNSAID}
    found = importer.recognise_file(path, architecture=name, settings=unsaid)
    again = build(name, found.config)
    again.load_state_dict(found.weights)
    channels: int = network.channels  # type: ignore[assignment]
    x = torch.rand(1, channels, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(x), network.eval()(x), rtol=0, atol=0)


@pytest.mark.usefixtures("without_onnx")
@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_models_keep_their_card(name: str, tmp_path: Path) -> None:
    network, weights = bare(name)
    scale, channels = network.scale, network.channels
    card = Card(
        name=f"own-x{scale}",
        architecture=name,
        scale=scale,  # type: ignore[arg-type]
        channels="Y" if channels == 1 else "RGB",
        licence="CC0",
        trained_on="noise",
        paper="none",
        config=NETWORKS[name].small,
        quality={"Set5": 30.0},
    )
    path = tmp_path / "given.safetensors"
    path.write_bytes(safetensors.torch.save(weights, card.to_metadata()))
    made = importer.convert(path, tmp_path / "out", name=card.name, trained_on="pictures")
    assert (made.licence, made.trained_on, made.paper, made.quality) == ("CC0", "pictures", "none", {"Set5": 30.0})
    assert made.architecture == name
    stored = safetensors.torch.load_file(tmp_path / f"out/{card.name}.safetensors")
    again = build(name, made.config)
    again.load_state_dict(stored)


def test_two_networks_with_the_same_weights_are_asked_about(tmp_path: Path) -> None:
    path = saved(built("transposed").state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="transposed and of residual_transposed") as caught:
        importer.recognise_file(path)
    assert caught.value.cures == (Use(architecture="transposed"), Use(architecture="residual_transposed"))
    assert importer.recognise_file(path, architecture="residual_transposed").config["scale"] == 2
    with pytest.raises(UsageError, match="Did you mean 'transposed'"):
        importer.recognise_file(path, architecture="transpose")


# The names of others: our weights, renamed as theirs are, come back as ours.


def back(rules: list[tuple[str, str]]) -> Callable[[Weights], Weights]:
    import re

    def rename(ours: Weights) -> Weights:
        theirs = {}
        for name, value in ours.items():
            for pattern, target in rules:
                if re.match(pattern, name):
                    theirs[re.sub(pattern, target, name, count=1)] = value
                    break
            else:
                raise AssertionError(name)
        return theirs

    return rename


def with_mean(theirs: Weights) -> Weights:
    mean = torch.tensor([0.4488, 0.4371, 0.4040]) * 255
    eye = torch.eye(3).view(3, 3, 1, 1)
    return theirs | {"sub_mean.weight": eye, "sub_mean.bias": -mean, "add_mean.weight": eye, "add_mean.bias": mean}


def edsr_authors(ours: Weights) -> Weights:
    blocks = count_modules(ours, "body")
    halves = [(r"body\.(\d+)\.first", r"body.\1.body.0"), (r"body\.(\d+)\.second", r"body.\1.body.2")]
    rules = [(r"head", "head.0"), *halves, ("joint", f"body.{blocks}"), ("upscale", "tail.0"), ("tail", "tail.1")]
    return with_mean(back(rules)(ours))


def mdsr_authors(ours: Weights) -> Weights:
    blocks = count_modules(ours, "body")
    rules = [(r"head\.", "head.0."), ("joint", f"body.{blocks}"), ("tail", "tail.0")]
    rules += [(r"body\.(\d+)\.first", r"body.\1.body.0"), (r"body\.(\d+)\.second", r"body.\1.body.2")]
    for number, scale in enumerate((2, 3, 4)):
        rules += [(rf"heads\.x{scale}\.(\d)\.first", rf"pre_process.{number}.\1.body.0")]
        rules += [(rf"heads\.x{scale}\.(\d)\.second", rf"pre_process.{number}.\1.body.2")]
        rules += [(rf"upscale\.x{scale}", f"upsample.{number}")]
    return with_mean(back(rules)(ours))


def vdsr_authors(ours: Weights) -> Weights:
    depth = count_modules(ours, "body") + 1
    return back([(rf"body\.{2 * n}\.", f"conv{n + 1}.") for n in range(depth - 1)] + [("last", f"conv{depth}")])(ours)


def fsrcnn_yjn870(ours: Weights) -> Weights:
    m = count_modules(ours, "map")
    layers = [(rf"map\.{n}\.{k}", f"mid_part.{2 * n + 2 + k}") for n in range(m) for k in (0, 1)]
    ends = [(rf"expand\.{k}", f"mid_part.{2 * m + 2 + k}") for k in (0, 1)]
    return back([("extract", "first_part"), ("shrink", "mid_part"), *layers, *ends, ("deconvolve", "last_part")])(ours)


def swinir_authors(ours: Weights) -> Weights:
    window = torch.zeros(64, 64, dtype=torch.int64)
    return ours | {"layers.0.residual_group.blocks.1.attn_mask": torch.zeros(4, 64, 64)} | {
        name.replace("bias_table", "index"): window for name in ours if name.endswith("bias_table")
    }  # fmt: skip


def span_authors(ours: Weights) -> Weights:
    stale = {
        name.replace("sk.", "eval_conv."): torch.zeros(*value.shape[:2], 3, 3)
        for name, value in ours.items()
        if ".sk.weight" in name
    }  # fmt: skip
    return ours | stale | {name.replace("weight", "bias"): torch.zeros(len(value)) for name, value in stale.items()}


RDB = r"body\.(\d+)\.rdb(\d)\.conv(\d)"
TAKEN_BACK: dict[str, tuple[str, dict[str, Any], Callable[[Weights], Weights]]] = {
    "fsrcnn yjn870": ("fsrcnn", {"d": 32, "s": 5, "m": 1, "scale": 3}, fsrcnn_yjn870),
    "fsrcnn yjn870, deeper": ("fsrcnn", {"m": 6, "scale": 3}, fsrcnn_yjn870),
    "espcn nhat-thanh": (
        "espcn",
        {"scale": 4},
        back([("extract", "conv_1"), ("map", "conv_2"), ("expand", "conv_3")]),
    ),
    "espcn yjn870": (
        "espcn",
        {"scale": 3},
        back([("extract", "first_part.0"), ("map", "first_part.2"), ("expand", "last_part.0")]),
    ),
    "srcnn": (
        "srcnn",
        {"middle": 5, "padding": "zeros"},
        back([("extract", "conv1"), ("map", "conv2"), ("reconstruct", "conv3")]),
    ),
    "vdsr": ("vdsr", {"depth": 12}, vdsr_authors),
    "edsr authors": ("edsr", {"scale": 4}, edsr_authors),
    "edsr authors x3": ("edsr", {"scale": 3}, edsr_authors),
    "edsr BasicSR": (
        "edsr",
        {"scale": 4},
        back(
            [
                ("head", "conv_first"),
                (r"body\.(\d+)\.first", r"body.\1.conv1"),
                (r"body\.(\d+)\.second", r"body.\1.conv2"),
                ("joint", "conv_after_body"),
                ("upscale", "upsample"),
                ("tail", "conv_last"),
            ]
        ),
    ),
    "mdsr authors": ("mdsr", {"scales": (2, 3, 4), "scale": 3}, mdsr_authors),
    "rrdb first": (
        "rrdb",
        {"blocks": 3},
        back(
            [
                ("conv_first", "model.0"),
                (RDB, r"model.1.sub.\1.RDB\2.conv\3.0"),
                ("conv_body", "model.1.sub.3"),
                ("conv_up1", "model.3"),
                ("conv_up2", "model.6"),
                ("conv_hr", "model.8"),
                ("conv_last", "model.10"),
            ]
        ),
    ),
    "rrdb second": (
        "rrdb",
        {"blocks": 3},
        back(
            [
                ("conv_first", "conv_first"),
                (RDB, r"RRDB_trunk.\1.RDB\2.conv\3"),
                ("conv_body", "trunk_conv"),
                ("conv_up", "upconv"),
                ("conv_hr", "HRconv"),
                ("conv_last", "conv_last"),
            ]
        ),
    ),
    "rrdb BasicSR x2": ("rrdb", {"scale": 2}, dict),
    "rrdb BasicSR x1": ("rrdb", {"scale": 1}, dict),
    "compact": ("compact", {"scale": 3, "convs": 8}, dict),
    "imdn": ("imdn", {"scale": 3}, dict),
    "span": ("span", {"scale": 2}, span_authors),
    "span without its mean": (
        "span",
        {"scale": 2, "norm": False},
        lambda ours: span_authors(ours) | {"no_norm": torch.zeros(1)},
    ),
    "span without its mean, folded": (
        "span",
        {"scale": 2, "norm": False, "folded": True},
        lambda ours: ours | {"no_norm": torch.zeros(1)},
    ),
    "swinir light": ("swinir", {"scale": 3}, swinir_authors),
    "swinir classical": ("swinir", {"scale": 4, "upsampler": "pixelshuffle", "groups": 2}, swinir_authors),
}


@pytest.mark.parametrize("case", TAKEN_BACK)
def test_the_names_of_others(case: str, tmp_path: Path) -> None:
    architecture, config, rename = TAKEN_BACK[case]
    # SRCNN's range is told by its keeping a plain grey.
    network, ours = bare(architecture, 1e-4 if architecture == "srcnn" else 0.01, **config)
    path = saved({"params": rename(ours)}, tmp_path / "theirs.pth")
    choice = {"scale": config.get("scale", 2)} if architecture in ("fsrcnn", "mdsr", "srcnn") else {}
    found = importer.recognise_file(path, **choice)
    assert found.architecture == architecture
    assert found.config.items() >= config.items()
    assert found.weights.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(found.weights[name], value), name
    again = build(architecture, found.config)
    for field in ("rgb_mean", "rgb_range"):
        if field in found.config:
            assert found.config[field] == pytest.approx(getattr(network.Config(), field))  # type: ignore[operator]
    again.load_state_dict(found.weights)


def test_every_layout_has_an_origin_of_its_own() -> None:
    origins = [layout.origin for network in NETWORKS.values() for layout in network.layouts]
    assert len(set(origins)) == len(origins)


def test_vdsr_of_twtygqyy_has_no_biases(tmp_path: Path) -> None:
    weights = {"input.weight": torch.rand(8, 1, 3, 3), "output.weight": torch.rand(1, 8, 3, 3)}
    weights |= {f"residual_layer.{n}.conv.weight": torch.rand(8, 8, 3, 3) for n in range(18)}
    found = importer.recognise_file(saved(weights, tmp_path / "w.pth"))
    assert (found.architecture, found.config) == ("vdsr", {"depth": 20, "width": 8})
    assert torch.equal(found.weights["body.4.weight"], weights["residual_layer.1.conv.weight"])
    assert not found.weights["last.bias"].any()


def test_the_full_edsr_adds_a_tenth(tmp_path: Path) -> None:
    config = {"blocks": 1, "width": 256}
    weights = edsr_authors(build("edsr", config).state_dict())
    path = saved(weights, tmp_path / "w.pth")
    assert importer.recognise_file(path).config["residual"] == 0.1
    assert importer.recognise_file(path, settings={"residual": 1.0}).config["residual"] == 1.0


@pytest.mark.parametrize(
    ("name", "scale", "figure"),
    [
        ("FSRCNN_yjn870_x2.pth", 2, 37.11),
        ("SRCNN_9-1-5_official_x2_range255.safetensors", 2, 36.33),
        pytest.param("VDSR_official.safetensors", 2, 37.53, marks=pytest.mark.slow),
        pytest.param("EDSR_8blocks_x2_krasserm.safetensors", 2, 37.80, marks=pytest.mark.slow),
        pytest.param("SRResNet_8blocks_x4.safetensors", 4, 31.88, marks=pytest.mark.slow),
        pytest.param("SRGAN_leftthomas_x2.pth", 2, None, marks=pytest.mark.slow),  # trained for no figure
        pytest.param("SRGAN_leftthomas_x4.pth", 4, None, marks=pytest.mark.slow),
        pytest.param("IMDN_x4.pth", 4, 32.21, marks=pytest.mark.slow),
        pytest.param("RRDB_PSNR_x4_fp16.safetensors", 4, 32.73, marks=pytest.mark.slow),
    ],
)
def test_what_is_imported_gives_the_figures_of_others(
    shared: Path, name: str, scale: int, figure: float | None
) -> None:
    """Set5; where the figures come from, tests/networks/test_published_weights.py says."""
    found = importer.recognise_file(shared / "weights" / name)
    network = build(found.architecture, found.config)
    network.load_state_dict(found.weights)
    measured = set5(network, shared, scale)
    assert measured > BICUBIC[scale] + 1 if figure is None else measured == pytest.approx(figure, abs=0.03)


# Wrapped, prefixed, in other precisions.


@pytest.mark.parametrize("prefix", ["module.", "netG.", "_orig_mod.", "generator.", "module.netG.", "any.name."])
def test_prefixes_go(prefix: str, tmp_path: Path) -> None:
    weights = {prefix + name: value for name, value in built("espcn").state_dict().items()}
    assert importer.recognise_file(saved(weights, tmp_path / "w.pth")).architecture == "espcn"


def test_of_a_gan_the_generator_is_taken(tmp_path: Path) -> None:
    weights = {f"generator.{name}": value for name, value in built("espcn").state_dict().items()}
    weights["discriminator.0.weight"] = torch.zeros(3)
    assert importer.recognise_file(saved({"state_dict": weights}, tmp_path / "w.ckpt")).architecture == "espcn"


@pytest.mark.parametrize("wrapper", importer.reading.WRAPPERS)
def test_wrappers_open(wrapper: str, tmp_path: Path) -> None:
    whole = {"epoch": 3, "step": torch.tensor(3), "optimizer": {"state": {}}, wrapper: built("espcn").state_dict()}
    assert importer.recognise_file(saved(whole, tmp_path / "w.pth")).architecture == "espcn"


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    plain, averaged = (bare("espcn")[1] for _ in range(2))
    averaged["map.bias"] = averaged["map.bias"] + 1
    found = importer.recognise_file(saved({"params": plain, "params_ema": averaged}, tmp_path / "w.pth"))
    assert torch.equal(found.weights["map.bias"], averaged["map.bias"])


def test_of_our_own_checkpoints_the_averaged_weights_are_taken(tmp_path: Path) -> None:
    plain, averaged = (bare("espcn")[1] for _ in range(2))
    averaged["map.bias"] = averaged["map.bias"] + 1
    for name, state in (("step", {"network": plain, "average": averaged}), ("best", {"weights": averaged})):
        found = importer.recognise_file(saved({"recipe": "", "step": 3, **state}, tmp_path / f"{name}.pt"))
        assert torch.equal(found.weights["map.bias"], averaged["map.bias"])


@pytest.mark.parametrize("legacy", [True, False])
def test_half_precision_becomes_single(legacy: bool, tmp_path: Path) -> None:
    weights = {name: value.half() for name, value in built("espcn").state_dict().items()}
    torch.save(weights, tmp_path / "misnamed.safetensors", _use_new_zipfile_serialization=not legacy)
    found = importer.recognise_file(tmp_path / "misnamed.safetensors")
    assert all(value.dtype == torch.float32 for value in found.weights.values())


def test_counters_of_normalisations_are_as_our_network_wants_them(tmp_path: Path) -> None:
    weights = built("srresnet").state_dict()
    without = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    assert importer.recognise_file(saved(without, tmp_path / "a.pth")).weights.keys() == weights.keys()
    more = built("espcn").state_dict() | {"norm.num_batches_tracked": torch.tensor(3)}
    assert importer.recognise_file(saved(more, tmp_path / "b.pth")).architecture == "espcn"


# What the weights do not say.


def test_the_scale_of_fsrcnn_is_asked_for(tmp_path: Path) -> None:
    weights = built("fsrcnn").state_dict()
    with pytest.raises(UsageError, match=r"the scale \(2, 3, 4, .*NAME-x2") as caught:
        importer.recognise_file(saved(weights, tmp_path / "fsrcnn.pth"))
    assert caught.value.cures == (Use(scale=2),)
    assert importer.recognise_file(tmp_path / "fsrcnn.pth", scale=3).config["scale"] == 3
    assert importer.recognise_file(saved(weights, tmp_path / "fsrcnn_x4.pth")).config["scale"] == 4
    assert importer.recognise_file(tmp_path / "fsrcnn_x4.pth", scale=3).config["scale"] == 3
    with pytest.raises(UsageError, match="cannot enlarge x30"):
        importer.recognise_file(tmp_path / "fsrcnn.pth", scale=30)


def test_a_scale_that_the_weights_contradict(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="enlarge x2, not x4"):
        importer.recognise_file(saved(built("espcn").state_dict(), tmp_path / "w.pth"), scale=4)


def test_networks_on_an_enlarged_image_say_how_much(tmp_path: Path) -> None:
    vdsr = saved(built("vdsr").state_dict(), tmp_path / "w.pth")
    assert importer.recognise_file(vdsr).enlarged == (2, 3, 4)
    assert importer.recognise_file(vdsr, scale=3).enlarged == (3,)
    srcnn = built("srcnn").state_dict()
    with pytest.raises(UsageError, match="how much enlarged"):
        importer.recognise_file(saved(srcnn, tmp_path / "srcnn.pth"))
    assert importer.recognise_file(saved(srcnn, tmp_path / "srcnn-x4.pth")).enlarged == (4,)


def test_an_activation_without_weights_is_asked_for(tmp_path: Path) -> None:
    path = saved(built("compact", activation="relu").state_dict(), tmp_path / "w.pth")
    with pytest.raises(UsageError, match="do not determine their activation") as caught:
        importer.recognise_file(path)
    assert caught.value.cures == tuple(Use(settings={"activation": each}) for each in ("relu", "leakyrelu"))
    assert importer.recognise_file(path, settings={"activation": "leakyrelu"}).config["activation"] == "leakyrelu"
    with pytest.raises(WeightsError, match="cannot be built"):
        importer.recognise_file(path, settings={"activation": "relu", "colour": 3})


@pytest.mark.parametrize(
    ("name", "scale"),
    [("FSRCNN_x2", 2), ("4x-UltraSharp", 4), ("RealESRGAN_x4plus", 4), ("realesr-general-x4v3", 4), ("max2", None),
     ("x2_to_x4", None), ("net", None), ("size_512x512", None), ("a-x16", None)],
)  # fmt: skip
def test_scales_in_names(name: str, scale: int | None) -> None:
    assert importer.scale_in(name) == scale


# What cannot be.


def script(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for part in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"net/{part}", b"")


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", b"<x/>")


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", b"\0" * 10**6)


def cut(path: Path) -> None:
    torch.save(built("espcn").state_dict(), path)
    path.write_bytes(path.read_bytes()[:-3000])


def cut_safetensors(path: Path) -> None:
    path.write_bytes(safetensors.torch.save(built("espcn").state_dict())[:-3000])


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.touch(), "is empty"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "nothing but zeros"),
    "web page": (lambda path: path.write_text("\n<!DOCTYPE html><html>Sign in</html>"), "a web page"),
    "LFS": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1"), "git lfs pull"),
    "text": (lambda path: path.write_text('{"error": "no such file"}'), "is text.*no such file"),
    "HDF5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50)), "HDF5"),
    "picture": (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(50)), "neither safetensors nor"),
    "TorchScript": (script, "TorchScript"),
    "another zip": (other_zip, "zip archive, but not a checkpoint"),
    "zip bomb": (bomb, "claims to hold more"),
    "cut": (cut, "cut short"),
    "cut safetensors": (cut_safetensors, "cut short"),
    "a number": (lambda path: torch.save(3, path), "holds a int"),
    "no tensors": (lambda path: torch.save({"epoch": 3}, path), "its keys are epoch"),
    "NaN": (lambda path: torch.save({"a.weight": torch.tensor([float("nan")])}, path), "infinite or not numbers"),
    "endless": (lambda path: torch.save({"a.weight": torch.zeros(1).expand(10**9)}, path), "more numbers than"),
    "sparse": (lambda path: torch.save({"a": torch.eye(3).to_sparse()}, path), "not a plain tensor|damaged"),
    "module": (lambda path: torch.save(nn.Linear(1, 1), path), "code of torch.nn.modules.linear.Linear"),
    "strange": (lambda path: torch.save({f"fc{n}.weight": torch.zeros(3) for n in range(10)}, path), "fc7.*and 2 more"),
    "MSRResNet": (
        lambda path: torch.save({"upconv1.weight": torch.zeros(1), "body.0.conv1.weight": torch.zeros(1)}, path),
        "MSRResNet",
    ),
    "SwinIR for photos": (
        lambda path: torch.save(
            {
                name: value
                for name, value in built("swinir", upsampler="pixelshuffle").state_dict().items()
                if not name.startswith("upsample.")
            }
            | {"conv_up1.weight": torch.zeros(1)},
            path,
        ),
        "SwinIR with nearest-neighbour",
    ),
    "compact with a hole": (
        lambda path: torch.save(built("compact").state_dict() | {"body.4000000000.weight": torch.zeros(3)}, path),
        "fits no network here; the nearest is compact",
    ),
    "ESRGAN x2": (
        lambda path: torch.save(
            {"model.1.sub.0.RDB1.conv1.0.weight": torch.zeros(1), "model.7.weight": torch.zeros(1)}, path
        ),
        "another scale than x4",
    ),
    "compact on grey": (
        lambda path: torch.save(built("compact").state_dict() | {"body.0.weight": torch.zeros(16, 1, 3, 3)}, path),
        r"body.0.weight is \(16, 1, 3, 3\), not \(16, 3, 3, 3\)",
    ),
    "SRCNN on colours": (
        lambda path: torch.save(
            {f"conv{n}.weight": torch.zeros(2, 3, 9, 9) for n in (1, 2, 3)}
            | {f"conv{n}.bias": torch.zeros(2) for n in (1, 2, 3)},
            path,
        ),
        "on colours, and ours on luma",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_checkpoint_is_told_apart(case: str, tmp_path: Path) -> None:
    make, message = WRONG[case]
    make(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=message):
        importer.convert(tmp_path / "w.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        importer.recognise_file(tmp_path / "none.pth")
    with pytest.raises(UsageError, match="is a folder"):
        importer.recognise_file(tmp_path)


def test_the_nearest_network_is_named() -> None:
    for name in ("rrdb", "imdn", "swinir", "span", "fsrcnn"):
        with torch.device("meta"):
            weights = {f"x.{key}": value for key, value in build(name, {}).state_dict().items()}
        weights = dict(list(weights.items())[5:]) | {"query.weight": torch.zeros(2)}
        assert recognition.nearest_architecture(weights) == name
    theirs = edsr_authors(bare("edsr")[1]) | {"extra.weight": torch.zeros(2)}
    assert recognition.nearest_architecture(theirs) == "edsr"


def test_keys_that_fit_and_shapes_that_do_not_are_told(tmp_path: Path) -> None:
    weights = edsr_authors(bare("edsr")[1])
    weights["body.1.body.0.weight"] = torch.zeros(16, 16, 5, 5)
    with pytest.raises(WeightsError, match=r"of EDSR of its authors, but body.1.first.weight is \(16, 16, 5, 5\)"):
        importer.recognise_file(saved(weights, tmp_path / "w.pth"))


def test_weights_of_zero_are_refused(tmp_path: Path) -> None:
    weights = {name: torch.zeros_like(value) for name, value in built("espcn").state_dict().items()}
    with pytest.raises(WeightsError, match="does not follow its input"):
        importer.convert(saved(weights, tmp_path / "w.pth"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Trap:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "within a safetensors header"])
def test_nothing_in_a_file_is_run(form: str, tmp_path: Path) -> None:
    path, sprung = tmp_path / "trap.pth", tmp_path / "sprung"
    state = {"state_dict": {"a.weight": torch.zeros(3)}, "trap": Trap(sprung)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(Trap(sprung), protocol=2))
    elif form.startswith("within"):
        inner = pickle.dumps(Trap(sprung), protocol=2)
        path.write_bytes(struct.pack("<Q", len(inner) + 2) + b"{" + inner + b"}")
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    before = path.read_bytes()
    with pytest.raises(WeightsError):
        importer.recognise_file(path)
    assert not sprung.exists()
    assert path.read_bytes() == before


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Flipped bits, a cut, a piece twice, or another beginning; most of it where the structure is."""
    changed = bytearray(data)
    kind = chance.randrange(5)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        start = chance.randrange(min(len(data), 3000))
        return data[:start] + data[start // 2 :]
    if kind == 2:
        changed[: chance.choice((8, 9, 64, 200))] = chance.randbytes(chance.choice((8, 9, 64)))
        return bytes(changed)
    reach = len(data) if kind == 3 else min(len(data), 4000)
    for _ in range(chance.choice((1, 3, 30))):
        place = chance.randrange(reach)
        changed[place if chance.random() < 0.7 else -1 - place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Never another error than ours, and no end in sight for none of them."""
    _, weights = bare("imdn")
    card = Card("a", "imdn", 2, "RGB", "", "", "", config=NETWORKS["imdn"].small)
    seeds = [safetensors.torch.save(weights, card.to_metadata()), safetensors.torch.save(weights)]
    for legacy in (True, False):
        buffer = io.BytesIO()
        torch.save({"params": weights, "step": 3}, buffer, _use_new_zipfile_serialization=not legacy)
        seeds.append(buffer.getvalue())
    chance = random.Random(0)
    path = tmp_path / "w-x2.pth"
    for number in range(320):
        path.write_bytes(damaged(seeds[number % 4], chance))
        try:
            importer.recognise_file(path)
        except HyperacuityError:
            continue


def test_damaged_published_files_are_refused_or_read(shared: Path, tmp_path: Path) -> None:
    names = ["FSRCNN_yjn870_x2.pth", "ESPCN_nhat-thanh_x3.pt", "SRCNN_9-1-5_official_x2_range255.safetensors"]
    names += ["lpips_squeeze_linear.pth"]
    seeds = [(shared / "weights" / name).read_bytes() for name in names]
    chance = random.Random(1)
    path = tmp_path / "w-x2.pth"
    for number in range(200):
        path.write_bytes(damaged(seeds[number % len(seeds)], chance))
        try:
            importer.recognise_file(path)
        except HyperacuityError:
            continue


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": 3}, {"architecture": "none"}, {"config": "abc"}, {"config": {"blocks": 10**9}},
        {"config": {"blocks": -1}}, {"config": {"blocks": "2"}}, {"config": {"features": [1]}}, {"config": None},
        {"scale": 0}, {"multiple": 0}, {"halo": None}, {"channels": "CMYK"},
    ],
)  # fmt: skip
def test_a_damaged_card_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    content = {"name": "a", "architecture": "imdn", "scale": 2, "channels": "RGB", "licence": "", "trained_on": "",
               "paper": "", "config": NETWORKS["imdn"].small} | change  # fmt: skip
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.torch.save(built("imdn").state_dict(), {"hyperacuity": json.dumps(content)}))
    with pytest.raises(WeightsError):
        importer.recognise_file(path)


# Names and files.


def test_a_card_says_what_weights_do_not(tmp_path: Path) -> None:
    """And what is said beside it goes before it; it is not contradicted."""
    card = Card(
        "a", "compact", 2, "RGB", "", "", "", config={**NETWORKS["compact"].small, "scale": 2, "activation": "relu"}
    )
    path = tmp_path / "a.safetensors"
    weights = built("compact", scale=2, activation="relu").state_dict()
    path.write_bytes(safetensors.torch.save(weights, card.to_metadata()))
    assert importer.recognise_file(path).config["activation"] == "relu"
    assert importer.recognise_file(path, settings={"activation": "leakyrelu"}).config["activation"] == "leakyrelu"
    for contradiction in ({"scale": 3}, {"architecture": "espcn"}):
        with pytest.raises(UsageError, match="its card says compact, x2"):
            importer.recognise_file(path, **contradiction)


@pytest.mark.usefixtures("without_onnx")
def test_the_name_gets_its_scale_once(tmp_path: Path) -> None:
    weights = built("espcn").state_dict()
    for stem, name in (("net", "net-x2"), ("net_x2", "net_x2"), ("2x-net", "2x-net"), ("net-x2plus", "net-x2plus")):
        assert importer.convert(saved(weights, tmp_path / f"{stem}.pth"), tmp_path / "out").name == name
    assert importer.convert(tmp_path / "net.pth", tmp_path / "out", name="mine").name == "mine-x2"
    assert zoo.open_model(tmp_path / "out/mine-x2.onnx").card.family == "mine"
    for bad in ("", "../out", "a/b", ".hidden", "bicubic"):
        with pytest.raises(UsageError, match="another name"):
            importer.convert(tmp_path / "net.pth", tmp_path / "out", name=bad)


@pytest.mark.usefixtures("without_onnx")
def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    path = saved(built("espcn").state_dict(), tmp_path / "net-x2.pth")
    (tmp_path / "net-x2.onnx").write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists"):
        importer.convert(path, tmp_path)
    assert (tmp_path / "net-x2.onnx").read_bytes() == b"precious"
    assert not (tmp_path / "net-x2.safetensors").exists()
    (tmp_path / "net-x2-int8.onnx").write_bytes(b"8 bits of other weights")
    importer.convert(path, tmp_path, force=True)
    assert (tmp_path / "net-x2.onnx").read_bytes() == b"onnx"
    assert zoo.open_model(tmp_path / "net-x2.onnx").int8 is None
    with pytest.raises(UsageError, match="itself"):
        importer.convert(tmp_path / "net-x2.safetensors", tmp_path, force=True)


def test_a_failing_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("no memory")

    monkeypatch.setattr(export, "to_onnx", fail)
    path = saved(built("espcn").state_dict(), tmp_path / "net-x2.pth")
    with pytest.raises(RuntimeError, match="no memory"):
        importer.convert(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    zoo_name = tmp_path / "net-x2-int8.onnx"
    zoo_name.write_bytes(b"of earlier weights")
    with pytest.raises(RuntimeError, match="no memory"):
        importer.convert(path, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"net-x2.pth", zoo_name.name}
