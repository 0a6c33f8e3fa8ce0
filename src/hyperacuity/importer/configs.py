"""From weights in our own names to the config of their network, by keys and shapes alone.

One function for each network of `networks.NETWORKS`. It may fail in any way on weights that are not its network's: what
counts is whether the network built from its answer has exactly these keys and shapes, which `recognition` looks at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Any

from torch import Tensor

from hyperacuity.errors import WeightsError

Weights = dict[str, Tensor]
Config = dict[str, Any]


@dataclass(frozen=True)
class Open:
    """What the weights do not say: one of these values, to be given by whoever knows."""

    values: tuple[Any, ...]


def acute(w: Weights) -> Config:
    outputs, features, *_ = w["last.square.weight"].shape
    folded = "first.widen.weight" not in w
    config = {"scale": isqrt(outputs), "features": features, "layers": count(w, "hidden"), "folded": folded}
    return config if folded else config | {"expansion": w["hidden.0.widen.weight"].shape[0] // features}


def compact(w: Weights) -> Config:
    last = max(int(name.split(".")[1]) for name in w)
    if last > 2 * len(w):  # the layers between have no weights: one in two at most
        raise WeightsError(f"there is a layer {last} among {len(w)} tensors: the file is damaged")
    config = {
        "scale": isqrt(w[f"body.{last}.weight"].shape[0] // 3),
        "features": w["body.0.weight"].shape[0],
        "convs": last // 2 - 1,
    }
    # Only PReLU has weights.
    return config | {"activation": "prelu" if "body.1.weight" in w else Open(("relu", "leakyrelu"))}


def edsr(w: Weights) -> Config:
    width = w["head.weight"].shape[0]
    # The paper: blocks of 256 channels add a tenth, or they do not train; narrower ones add all.
    residual = 0.1 if width == 256 else 1.0
    return {"scale": shuffles(w, "upscale"), "blocks": count(w, "body"), "width": width, "residual": residual}


def espcn(w: Weights) -> Config:
    n1, channels = w["extract.weight"].shape[:2]
    scale = isqrt(w["expand.weight"].shape[0] // channels)
    return {"scale": scale, "n1": n1, "n2": w["map.weight"].shape[0], "channels": channels}


def fsrcnn(w: Weights) -> Config:
    # The deconvolution has nine taps a side whatever its stride, and its stride is not stored.
    s, d = w["shrink.0.weight"].shape[:2]
    return {"scale": Open(tuple(range(2, 9))), "d": d, "s": s, "m": count(w, "map")}


def imdn(w: Weights) -> Config:
    hidden, features = w["IMDB1.cca.conv_du.0.weight"].shape[:2]
    blocks = len({name.split(".")[0] for name in w if name.startswith("IMDB")})
    scale = isqrt(w["upsampler.0.weight"].shape[0] // 3)
    return {"scale": scale, "features": features, "blocks": blocks, "reduction": features // hidden}


def mdsr(w: Weights) -> Config:
    scales = tuple(sorted({int(name.split(".")[1].removeprefix("x")) for name in w if name.startswith("upscale.")}))
    width = w["head.weight"].shape[0]
    scale = scales[0] if len(scales) == 1 else Open(scales)
    return {"scale": scale, "scales": scales, "blocks": count(w, "body"), "width": width}


def rrdb(w: Weights) -> Config:
    features, inputs = w["conv_first.weight"].shape[:2]
    growth = w["body.0.rdb1.conv1.weight"].shape[0]
    # x1 and x2 are the x4 network behind a pixel-unshuffle.
    return {"scale": 4 // isqrt(inputs // 3), "features": features, "growth": growth, "blocks": count(w, "body")}


def span(w: Weights) -> Config:
    features = w["conv_cat.weight"].shape[0]
    config: Config = {"scale": isqrt(w["upsampler.0.weight"].shape[0] // 3), "features": features}
    if "conv_2.conv.0.weight" in w:
        return config | {"gain": w["conv_2.conv.0.weight"].shape[0] // features}
    return config | {"folded": True}


def srcnn(w: Weights) -> Config:
    n2, n1, middle = w["map.weight"].shape[:3]
    return {"middle": middle, "n1": n1, "n2": n2}


def srresnet(w: Weights) -> Config:
    return {
        "scale": shuffles(w, "upscale"),
        "blocks": count(w, "body"),
        "width": w["head.0.weight"].shape[0],
        "joint": "norm" if "joint.1.running_mean" in w else "prelu",
    }


def subpixel(w: Weights) -> Config:
    scale = isqrt(w["expand.weight"].shape[0] // 3)
    return {"scale": scale, "n1": w["first.weight"].shape[0], "n2": w["second.weight"].shape[0]}


def swinir(w: Weights) -> Config:
    features = w["conv_first.weight"].shape[0]
    inner = "layers.0.residual_group.blocks"
    offsets, heads = w[f"{inner}.0.attn.relative_position_bias_table"].shape
    stepwise = "conv_last.weight" in w
    return {
        "scale": shuffles(w, "upsample") if stepwise else isqrt(w["upsample.0.weight"].shape[0] // 3),
        "features": features,
        "groups": count(w, "layers"),
        "layers": count(w, inner),
        "heads": heads,
        "window": (isqrt(offsets) + 1) // 2,
        "expansion": w[f"{inner}.0.mlp.fc1.weight"].shape[0] // features,
        "upsampler": "pixelshuffle" if stepwise else "pixelshuffledirect",
    }


def transposed(w: Weights) -> Config:
    side = w["upscale.weight"].shape[2]  # 2 * scale - scale % 2
    return {"scale": (side + 1) // 2, "n1": w["first.weight"].shape[0], "n2": w["second.weight"].shape[0]}


def vae(w: Weights) -> Config:
    prefix = "backbone."
    backbone = {name.removeprefix(prefix): value for name, value in w.items() if name.startswith(prefix)}
    return acute(backbone) | {"latent": w["posterior.4.weight"].shape[0] // 2}


def vdsr(w: Weights) -> Config:
    return {"depth": count(w, "body") + 1, "width": w["last.weight"].shape[1]}


CONFIGS: dict[str, Callable[[Weights], Config]] = {
    "srcnn": srcnn,
    "fsrcnn": fsrcnn,
    "espcn": espcn,
    "transposed": transposed,
    "residual_transposed": transposed,
    "subpixel": subpixel,
    "vdsr": vdsr,
    "srresnet": srresnet,
    "edsr": edsr,
    "mdsr": mdsr,
    "rrdb": rrdb,
    "compact": compact,
    "imdn": imdn,
    "swinir": swinir,
    "span": span,
    "acute": acute,
    "vae": vae,
}


def count(w: Weights, folder: str) -> int:
    """How many numbered modules lie in `folder`. They are counted, not taken from the largest number: a damaged
    file may say that there are a billion.
    """
    number = re.compile(re.escape(folder) + r"\.(\d+)\.")
    return len({found[1] for name in w if (found := number.match(name))})


def shuffles(w: Weights, folder: str) -> int:
    """The scale of convolutions before pixel shuffles: the product of their own."""
    scale = 1
    for name, value in w.items():
        if name.startswith(f"{folder}.") and value.dim() == 4:
            scale *= isqrt(value.shape[0] // value.shape[1])
    return scale
