"""The names of other projects: our weights, renamed as theirs are, come back as ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.importer.checkpoints import Weights, bare, saved

from hyperacuity import importer
from hyperacuity.errors import WeightsError
from hyperacuity.importer import recognition
from hyperacuity.networks import NETWORKS, build
from hyperacuity.networks.state_dicts import count_modules

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


def dat_authors(height: int, width: int) -> Callable[[Weights], Weights]:
    """With the buffers of windows, and the masks of an image of 64 x 64 where windows are shifted."""

    def rename(ours: Weights) -> Weights:
        area = height * width
        theirs = dict(ours)
        for name in ours:
            if not name.endswith(".pos.pos_proj.weight"):
                continue
            attention = name.removesuffix(".pos.pos_proj.weight")
            rows, columns = (height, width) if attention.endswith("0") else (width, height)
            offsets = [[y, x] for y in range(1 - rows, rows) for x in range(1 - columns, columns)]
            theirs[f"{attention}.rpe_biases"] = torch.tensor(offsets, dtype=torch.float32)
            theirs[f"{attention}.relative_position_index"] = torch.zeros(area, area, dtype=torch.int64)
        for number in (0, 1):
            theirs[f"layers.1.blocks.0.attn.attn_mask_{number}"] = torch.zeros(64**2 // area, area, area)
        return theirs

    return rename


def span_authors(ours: Weights) -> Weights:
    stale = {
        name.replace("sk.", "eval_conv."): torch.zeros(*value.shape[:2], 3, 3)
        for name, value in ours.items()
        if ".sk.weight" in name
    }  # fmt: skip
    return ours | stale | {name.replace("weight", "bias"): torch.zeros(len(value)) for name, value in stale.items()}


def plksr_authors(mixer: str, dropout: int) -> Callable[[Weights], Weights]:
    """RealPLKSR has a dropout, which is a module without weights, before its last convolution."""

    def rename(ours: Weights) -> Weights:
        blocks = count_modules(ours, "blocks")
        numbers = [(rf"blocks\.{n}\.", n + 1) for n in range(blocks)]
        rules = [("head", "feats.0"), ("tail", f"feats.{blocks + 1 + dropout}")]
        rules += [(rf"{block}mixer", f"feats.{n}.{mixer}") for block, n in numbers]
        rules += [(rf"{block}lk", f"feats.{n}.lk.conv") for block, n in numbers]
        rules += [(rf"{block}attention", f"feats.{n}.attn.f") for block, n in numbers]
        return back(rules + [(block, f"feats.{n}.") for block, n in numbers])(ours)

    return rename


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
    "edsr MMagic": (
        "edsr",
        {"scale": 4, "rgb_range": 1.0},
        back(
            [
                ("head", "generator.conv_first"),
                (r"body\.(\d+)\.first", r"generator.body.\1.conv1"),
                (r"body\.(\d+)\.second", r"generator.body.\1.conv2"),
                ("joint", "generator.conv_after_body"),
                (r"upscale\.0", "generator.upsample.0.upsample_conv"),
                (r"upscale\.2", "generator.upsample.1.upsample_conv"),
                ("tail", "generator.conv_last"),
            ]
        ),
    ),
    "srcnn MMagic": (
        "srcnn",
        {"channels": 3, "padding": "zeros"},
        back([(name, f"generator.conv{n}") for n, name in enumerate(("extract", "map", "reconstruct"), 1)]),
    ),
    "msrresnet BasicSR": ("msrresnet", {"scale": 3, "upscaled": "leakyrelu"}, dict),
    "msrresnet MMagic": (
        "msrresnet",
        {"scale": 4, "upscaled": "none"},
        back(
            [
                (r"body\.(\d+)\.", r"generator.trunk_net.\1."),
                (r"upconv(\d)", r"generator.upsample\1.upsample_conv"),
                (r"", r"generator."),
            ]
        ),
    ),
    "msrresnet mmsr": (
        "msrresnet",
        {"scale": 2},
        back([("body", "recon_trunk"), ("conv_hr", "HRconv"), ("", "")]),
    ),
    "espcn of PyTorch's tutorial": (
        "espcn",
        {"scale": 3, "activation": "relu", "deeper": 1, "n1": 64},
        back([("extract", "conv1"), (r"deeper\.0", "conv2"), ("map", "conv3"), ("expand", "conv4")]),
    ),
    "rcan authors": ("rcan", {"scale": 4, "rgb_range": 255.0}, with_mean),
    "rcan BasicSR": (
        "rcan",
        {"scale": 3, "groups": 2},
        back(
            [
                (r"head\.0", "conv_first"),
                (r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.0", r"body.\1.residual_group.\2.rcab.3.attention.1"),
                (r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.2", r"body.\1.residual_group.\2.rcab.3.attention.3"),
                (r"body\.(\d+)\.body\.(\d+)\.body\.", r"body.\1.residual_group.\2.rcab."),
                (r"body\.(\d+)\.body\.2\.", r"body.\1.conv."),
                (r"body\.2\.", "conv_after_body."),
                (r"tail\.0\.", "upsample."),
                (r"tail\.1", "conv_last"),
            ]
        ),
    ),
    "plksr authors": ("plksr", {"scale": 3, "mixer": (3, 1), "activation": "gelu"}, plksr_authors("channe_mixer", 0)),
    "plksr without attention": (
        "plksr",
        {"attention": False, "mixer": (1, 3)},
        plksr_authors("channe_mixer", 0),
    ),
    "RealPLKSR": (
        "plksr",
        {"scale": 4, "mixer": (3, 3), "activation": "mish", "norm": True},
        plksr_authors("channel_mixer", 1),
    ),
    "rrdb MMagic": ("rrdb", {"blocks": 2}, back([("", "generator.")])),
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
    "swinir for photos": ("swinir", {"scale": 4, "upsampler": "nearest+conv"}, swinir_authors),
    "swinir for photos, large": (
        "swinir",
        {"scale": 2, "upsampler": "nearest+conv", "joint": "3conv"},
        swinir_authors,
    ),
    "dat": ("dat", {"scale": 4, "split": (8, 16)}, dat_authors(8, 16)),
    "dat with windows of another order": ("dat", {"scale": 1, "split": (8, 2)}, dat_authors(8, 2)),
    "dat light": (
        "dat",
        {"scale": 3, "split": (8, 32), "groups": 2, "upsampler": "pixelshuffledirect", "joint": "3conv", "layers": 1},
        dat_authors(8, 32),
    ),
    "swinir classical": ("swinir", {"scale": 4, "upsampler": "pixelshuffle", "groups": 2}, swinir_authors),
}


@pytest.mark.parametrize("case", TAKEN_BACK)
def test_the_names_of_others(case: str, tmp_path: Path) -> None:
    architecture, config, rename = TAKEN_BACK[case]
    # The importer infers SRCNN's range from a plain grey, which must stay grey.
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
            expected = config.get(field, getattr(network.Config(), field))  # type: ignore[operator]
            assert found.config[field] == pytest.approx(expected)
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
