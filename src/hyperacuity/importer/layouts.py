"""How others name what our networks compute: for each origin a function from its weights to ours.

A layout sees keys and shapes. It looks at values where its docstring says so, and nowhere else. It answers None when
the keys are not its own; that the shapes fit too, `recognition` makes sure of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from hyperacuity.importer.configs import Config, Weights, count

Answer = tuple[Weights, Config] | None


@dataclass(frozen=True)
class Layout:
    """origin: whose files look so. convert: their weights -> ours and what their origin says of the config. words: of
    their keys, by which to name the nearest network when no layout fits.
    """

    origin: str
    architecture: str
    convert: Callable[[Weights], Answer]
    words: str = ""


Target = str | Callable[["re.Match[str]"], str]


def renamed(weights: Weights, rules: Mapping[str, Target]) -> Weights | None:
    """Each key without its last part (weight, bias ...) rewritten by the first rule that matches all of it.

    None when a key matches none, or two become one. A rule that gives "" leaves the key out.
    """
    compiled = [(re.compile(pattern), target) for pattern, target in rules.items()]
    ours: Weights = {}
    for name, value in weights.items():
        module, dot, kind = name.rpartition(".")
        for pattern, target in compiled:
            if found := pattern.fullmatch(module):
                ending = found.expand(target) if isinstance(target, str) else target(found)
                break
        else:
            return None
        if not ending:
            continue
        if f"{ending}{dot}{kind}" in ours:
            return None
        ours[f"{ending}{dot}{kind}"] = value
    return ours


def plus(step: int, pattern: str) -> Callable[[re.Match[str]], str]:
    """A rule that counts its first group on by `step`: in "body.{}" stands the new number."""
    return lambda found: pattern.format(int(found[1]) + step)


# FSRCNN, ESPCN, SRCNN, VDSR


def fsrcnn_yjn870(theirs: Weights) -> Answer:
    last = count(theirs, "mid_part") - 2  # the expansion; before it a convolution and its PReLU by turns

    def middle(found: re.Match[str]) -> str:
        number = int(found[1])
        if number < 2:
            return f"shrink.{number}"
        return f"expand.{number - last}" if number >= last else f"map.{number // 2 - 1}.{number % 2}"

    rules: dict[str, Target] = {r"first_part\.([01])": r"extract.\1", r"mid_part\.(\d+)": middle}
    ours = renamed(theirs, rules | {"last_part": "deconvolve"})
    return None if ours is None else (ours, {})


def espcn_nhat_thanh(theirs: Weights) -> Answer:
    ours = renamed(theirs, {"conv_1": "extract", "conv_2": "map", "conv_3": "expand"})
    return None if ours is None else (ours, {"activation": "tanh"})


def espcn_yjn870(theirs: Weights) -> Answer:
    ours = renamed(theirs, {r"first_part\.0": "extract", r"first_part\.2": "map", r"last_part\.0": "expand"})
    return None if ours is None else (ours, {"activation": "tanh"})


def srcnn(theirs: Weights) -> Answer:
    """Looks at values: the authors' networks work on 0 to 255, others on 0 to 1, and all names and shapes are the
    same. A plain grey must come out as that grey, which only one of the two does. The authors' networks continue
    the borders, those of others are trained with zeros beyond them.
    """
    ours = renamed(theirs, {"conv1": "extract", "conv2": "map", "conv3": "reconstruct"})
    if ours is None or len(ours) != 6 or any(value.dim() not in (1, 4) for value in ours.values()):
        return None
    if ours["extract.weight"].shape[1] != 1:
        raise ValueError("it works on colours, and ours on luma")
    to_one = {"extract.weight": 255.0, "reconstruct.weight": 1 / 255, "reconstruct.bias": 1 / 255}
    scaled = {name: value * to_one.get(name, 1) for name, value in ours.items()}
    off, off_scaled = _off_grey(ours), _off_grey(scaled)
    if min(off, off_scaled) > 0.25:
        raise ValueError("neither on 0 to 1 nor on 0 to 255 does a plain grey come out as it went in")
    if off <= off_scaled:
        return ours, {"padding": "zeros"}
    return scaled, {"padding": "replicate"}


def _off_grey(w: Weights) -> float:
    """How far plain greys come out from themselves; away from the borders a kernel is the sum of its taps."""
    grey = torch.tensor([[0.2, 0.5, 0.8]])  # (1, greys)
    x = grey
    for layer in ("extract", "map", "reconstruct"):
        x = w[f"{layer}.weight"].sum((2, 3)) @ x + w[f"{layer}.bias"][:, None]  # (channels, greys)
        x = x if layer == "reconstruct" else x.relu()
    return float((x - grey).abs().max())


def vdsr_official(theirs: Weights) -> Answer:
    last = str(len({name.partition(".")[0] for name in theirs}))
    rules: dict[str, Target] = {
        rf"conv{last}": "last",
        r"conv(\d+)": lambda found: f"body.{2 * int(found[1]) - 2}",
    }
    ours = renamed(theirs, rules)
    return None if ours is None else (with_biases(ours), {})


def vdsr_twtygqyy(theirs: Weights) -> Answer:
    rules: dict[str, Target] = {
        "input": "body.0",
        r"residual_layer\.(\d+)\.conv": lambda found: f"body.{2 * int(found[1]) + 2}",
        "output": "last",
    }
    ours = renamed(theirs, rules)
    return None if ours is None else (with_biases(ours), {})


def with_biases(w: Weights) -> Weights:
    """A convolution without a bias is one whose bias is zero."""
    zeros = {
        name.removesuffix("weight") + "bias": value.new_zeros(len(value))
        for name, value in w.items()
        if name.endswith(".weight") and value.dim() == 4
    }
    return zeros | w


# SRResNet


def srresnet_leftthomas(theirs: Weights) -> Answer:
    """One PReLU slope for all channels; the bias before a normalisation goes into the mean that this takes off."""
    steps = len({name.split(".")[1] for name in theirs if re.match(r"block\d+\.\d+\.conv\.", name)})
    tops = {int(found[1]) for name in theirs if (found := re.match(r"block(\d+)\.", name))}
    if not steps or not tops:
        return None
    end = len(tops)  # block1 the head, the last the upsampling, the one before it what closes the blocks
    parts = {"conv1": "first", "bn1": "norm1", "prelu": "prelu", "conv2": "second", "bn2": "norm2"}
    rules: dict[str, Target] = {r"block1\.([01])": r"head.\1", rf"block{end - 1}\.([01])": r"joint.\1"}
    rules |= {rf"block(\d+)\.{part}": plus(-2, f"body.{{}}.{our}") for part, our in parts.items()}
    rules |= {rf"block{end}\.{steps}": "tail"}
    rules |= {rf"block{end}\.{n}\.conv": f"upscale.{3 * n}" for n in range(steps)}
    rules |= {rf"block{end}\.{n}\.prelu": f"upscale.{3 * n + 2}" for n in range(steps)}
    ours = renamed(theirs, rules)
    if ours is None:
        return None
    for n in range(end - 3):
        for convolution, norm in (("first", "norm1"), ("second", "norm2")):
            bias = ours.pop(f"body.{n}.{convolution}.bias")
            ours[f"body.{n}.{norm}.running_mean"] = ours[f"body.{n}.{norm}.running_mean"] - bias
    width = len(ours["head.0.weight"])
    slopes = {name: value.expand(width) for name, value in ours.items() if value.shape == (1,)}
    return ours | slopes, {"output": "tanh"}


def srresnet_numbered(theirs: Weights) -> Answer:
    """Keys numbered in the order of the layers, as exporters name them: convolution0_weight, batchnorm0_gamma ..."""
    blocks = len({name for name in theirs if name.endswith("_moving_mean")}) // 2
    slopes = len({name for name in theirs if name.startswith("leakyrelu")})
    if not blocks or slopes <= blocks:
        return None
    body = [f"body.{n}" for n in range(blocks)]
    steps = range(slopes - blocks - 1)
    order = {
        "convolution": [
            *["head.0", *(f"{b}.{half}" for b in body for half in ("first", "second")), "joint.0"],
            *[*(f"upscale.{3 * n}" for n in steps), "tail"],
        ],
        "batchnorm": [*(f"{b}.{half}" for b in body for half in ("norm1", "norm2")), "joint.1"],
        "leakyrelu": ["head.1", *(f"{b}.prelu" for b in body), *(f"upscale.{3 * n + 2}" for n in steps)],
    }
    return in_order(theirs, order), {}


_KINDS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"}


def in_order(theirs: Weights, order: Mapping[str, list[str]]) -> Weights:
    """Our names for "convolution3_weight": the fourth of order["convolution"], and "weight"."""
    ours: Weights = {}
    for name, value in theirs.items():
        found = re.fullmatch(r"([a-z]+)(\d+)_(\w+)", name)
        if found is None or found[1] not in order or int(found[2]) >= len(order[found[1]]):
            ours[name] = value  # which fits no network
        else:
            ours[f"{order[found[1]][int(found[2])]}.{_KINDS.get(found[3], found[3])}"] = value
    return ours


# EDSR, MDSR


_RESIDUAL_BLOCK = {"0": "first", "2": "second"}


def edsr_authors(theirs: Weights) -> Answer:
    """Looks at values: mean colour and range are those of `add_mean`, in weights that have it."""
    rules: dict[str, Target] = {
        r"(sub|add)_mean": "",
        r"head\.0": "head",
        r"body\.(\d+)\.body\.([02])": lambda found: f"body.{found[1]}.{_RESIDUAL_BLOCK[found[2]]}",
        r"body\.\d+": "joint",
        r"tail\.0\.(\d+)": r"upscale.\1",
        r"tail\.1": "tail",
    }
    ours = renamed(theirs, rules)
    return None if ours is None else (ours, mean_colour(theirs))


def mean_colour(theirs: Weights) -> Config:
    """The product of range and mean is the bias of `add_mean`: on 0 to 255 it is above 1, on 0 to 1 below."""
    bias, weight = theirs.get("add_mean.bias"), theirs.get("add_mean.weight")
    if bias is None or weight is None:
        return {}
    if weight.flatten().tolist() != torch.eye(3).flatten().tolist():
        raise ValueError("its add_mean mixes or scales the colours")
    rgb_range = 255.0 if bias.max() > 1 else 1.0
    # The authors' means have four places; float32 times 255 gives them back with noise.
    return {"rgb_range": rgb_range, "rgb_mean": [round(value / rgb_range, 6) for value in bias.tolist()]}


def edsr_basicsr(theirs: Weights) -> Answer:
    rules: dict[str, Target] = {
        "conv_first": "head",
        r"body\.(\d+)\.conv1": r"body.\1.first",
        r"body\.(\d+)\.conv2": r"body.\1.second",
        "conv_after_body": "joint",
        r"upsample\.(\d+)": r"upscale.\1",
        "conv_last": "tail",
    }
    ours = renamed(theirs, rules)
    return None if ours is None else (ours, {})


def edsr_numbered(theirs: Weights) -> Answer:
    """krasserm's, exported from Keras: numbered in the order of the layers, sub-pixels in TensorFlow's order, white is
    2 within. Looks at values: the mean colour is stored.
    """
    if theirs.keys().isdisjoint({"DIV2K_mean"}):
        return None
    layers = {name: value for name, value in theirs.items() if not name.endswith("DIV2K_mean")}
    blocks = (len(layers) // 2 - 4) // 2
    halves = [f"body.{n}.{half}" for n in range(blocks) for half in ("first", "second")]
    ours = in_order(layers, {"convolution": ["head", *halves, "joint", "upscale.0", "tail"]})
    for kind in ("weight", "bias"):
        value = ours[f"upscale.0.{kind}"]
        scale = round((len(value) / len(ours["head.bias"])) ** 0.5)
        value = value.reshape(scale, scale, -1, *value.shape[1:])
        ours[f"upscale.0.{kind}"] = value.movedim(2, 0).flatten(0, 2)
    return ours, {"rgb_mean": theirs["DIV2K_mean"].flatten().tolist(), "rgb_range": 2.0}


def mdsr_authors(theirs: Weights) -> Answer:
    """Looks at values as EDSR does. Its scales are numbered as they were trained: each upsampler tells its own."""
    scales: dict[str, int] = {}
    for name, value in theirs.items():
        if (found := re.fullmatch(r"upsample\.(\d+)\.\d+\.weight", name)) and value.dim() == 4:
            scales[found[1]] = scales.get(found[1], 1) * round((value.shape[0] / value.shape[1]) ** 0.5)
    if not scales or len(set(scales.values())) < len(scales):
        return None
    rules: dict[str, Target] = {
        r"(sub|add)_mean": "",
        r"head\.0": "head",
        r"pre_process\.(\d+)\.([01])\.body\.([02])": lambda found: (
            f"heads.x{scales[found[1]]}.{found[2]}.{_RESIDUAL_BLOCK[found[3]]}"
        ),
        r"body\.(\d+)\.body\.([02])": lambda found: f"body.{found[1]}.{_RESIDUAL_BLOCK[found[2]]}",
        r"body\.\d+": "joint",
        r"upsample\.(\d+)\.(\d+)": lambda found: f"upscale.x{scales[found[1]]}.{found[2]}",
        r"tail\.0": "tail",
    }
    ours = renamed(theirs, rules)
    return None if ours is None else (ours, mean_colour(theirs))


# RRDB


def rrdb_first(theirs: Weights) -> Answer:
    """ESRGAN's first code, and what the community trained with it: x4 only."""
    rules: dict[str, Target] = {
        r"model\.0": "conv_first",
        r"model\.1\.sub\.(\d+)\.RDB([123])\.conv([1-5])\.0": r"body.\1.rdb\2.conv\3",
        r"model\.1\.sub\.\d+": "conv_body",
        r"model\.3": "conv_up1",
        r"model\.6": "conv_up2",
        r"model\.8": "conv_hr",
        r"model\.10": "conv_last",
    }
    ours = renamed(theirs, rules)
    return None if ours is None else (ours, {})


def rrdb_second(theirs: Weights) -> Answer:
    """ESRGAN's own repository, before BasicSR."""
    rules: dict[str, Target] = {
        r"RRDB_trunk\.(\d+)\.RDB([123])\.(conv[1-5])": r"body.\1.rdb\2.\3",
        "trunk_conv": "conv_body",
        r"upconv([12])": r"conv_up\1",
        "HRconv": "conv_hr",
        r"(conv_first|conv_last)": r"\1",
    }
    ours = renamed(theirs, rules)
    return None if ours is None else (ours, {})


# SPAN, SwinIR


def span_training(theirs: Weights) -> Answer:
    """Beside its branches it stores their fold, of whenever it was last used: the branches are right. Those who leave
    out its normalisation say so by a tensor that is there.
    """
    ours = {name: value for name, value in theirs.items() if name != "no_norm"}
    settings: Config = {"norm": False} if len(ours) < len(theirs) else {}
    if any(".eval_conv." in name for name in ours) and any(".sk." in name for name in ours):
        ours = {name: value for name, value in ours.items() if ".eval_conv." not in name}
    return (ours, settings) if len(ours) < len(theirs) else None


def swinir_authors(theirs: Weights) -> Answer:
    computed = (".attn_mask", ".relative_position_index")
    ours = {name: value for name, value in theirs.items() if not name.endswith(computed)}
    return (ours, {}) if len(ours) < len(theirs) else None


LAYOUTS = (
    Layout("FSRCNN of yjn870", "fsrcnn", fsrcnn_yjn870, "first_part mid_part last_part"),
    Layout("ESPCN of nhat-thanh", "espcn", espcn_nhat_thanh),
    Layout("ESPCN of yjn870", "espcn", espcn_yjn870, "first_part last_part"),
    Layout("SRCNN of its authors or of yjn870", "srcnn", srcnn),
    Layout("VDSR of its authors", "vdsr", vdsr_official),
    Layout("VDSR of twtygqyy", "vdsr", vdsr_twtygqyy, "residual_layer input output conv"),
    Layout(
        "SRGAN of leftthomas", "srresnet", srresnet_leftthomas, "block1 block2 block7 block8 conv1 bn1 prelu conv2 bn2"
    ),
    Layout("SRResNet with numbered layers", "srresnet", srresnet_numbered),
    Layout("EDSR of its authors", "edsr", edsr_authors, "sub_mean add_mean head body tail"),
    Layout("EDSR of BasicSR", "edsr", edsr_basicsr, "conv_first body conv1 conv2 conv_after_body upsample conv_last"),
    Layout("EDSR of krasserm", "edsr", edsr_numbered),
    Layout("MDSR of its authors", "mdsr", mdsr_authors, "sub_mean head pre_process body upsample tail add_mean"),
    Layout("RRDB of ESRGAN's first code", "rrdb", rrdb_first, "model sub RDB1 RDB2 RDB3"),
    Layout("RRDB of ESRGAN", "rrdb", rrdb_second, "RRDB_trunk RDB1 RDB2 RDB3 trunk_conv upconv1 upconv2 HRconv"),
    Layout("SPAN of its authors", "span", span_training, "eval_conv sk conv c1_r no_norm"),
    Layout("SwinIR of its authors", "swinir", swinir_authors),
)
# Known to people, and computing what no network of ours does: keys that tell it, all of them, and what to say.
STRANGERS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((r"layers\.0\.conv\.2\.weight",), "SwinIR with three convolutions after each group, the large one"),
    ((r"patch_embed\.norm\.weight", r"conv_up1\.weight"), "SwinIR with nearest-neighbour steps, the one for photos"),
    ((r"model\.1\.sub\.0\.RDB1\.conv1x1\.weight",), "ESRGAN+, whose blocks have one convolution more"),
    ((r"model\.1\.sub\.0\.RDB1\.conv1\.0\.weight",), "ESRGAN by its first code for another scale than x4"),
    ((r"upconv1\.weight", r"body\.0\.conv1\.weight"), "MSRResNet of BasicSR, which no network of ours is"),
    ((r"features\.0\.weight", r"classifier\..+"), "a classifier, which enlarges nothing"),
    ((r"lin0\.model\.1\.weight",), "the weights of LPIPS, a distance between pictures, which enlarges nothing"),
)
