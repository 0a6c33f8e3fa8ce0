"""Functions of state dicts, with which networks read a config from weights and translate the keys of other projects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isqrt

from hyperacuity.networks.declaration import Weights

Replacement = str | Callable[["re.Match[str]"], str]

_KINDS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"}


def count_modules(weights: Weights, parent: str) -> int:
    """Returns how many numbered modules `parent` has.

    They are counted, not taken from the largest number: a damaged file may contain number a billion.
    """
    number = re.compile(re.escape(parent) + r"\.(\d+)\.")
    return len({found[1] for name in weights if (found := number.match(name))})


def shuffle_scale(weights: Weights, parent: str) -> int:
    """Returns the scale of the convolutions before pixel shuffles in `parent`: the product of their own scales."""
    scale = 1
    for name, value in weights.items():
        if name.startswith(f"{parent}.") and value.dim() == 4:
            scale *= isqrt(value.shape[0] // value.shape[1])
    return scale


def rename_keys(weights: Weights, rules: Mapping[str, Replacement]) -> Weights | None:
    """Rewrite each key, without its last part (weight, bias ...), by the first rule that matches all of it.

    Args:
        weights: The state dict.
        rules: From regular expressions to what replaces them: a template, or a function of the match. "" drops the key.

    Returns:
        The renamed state dict; None if a key matches no rule, or two keys become one.
    """
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules.items()]
    renamed: Weights = {}
    for name, value in weights.items():
        module, dot, kind = name.rpartition(".")
        for pattern, replacement in compiled:
            if found := pattern.fullmatch(module):
                new = found.expand(replacement) if isinstance(replacement, str) else replacement(found)
                break
        else:
            return None
        if not new:
            continue
        if f"{new}{dot}{kind}" in renamed:
            return None
        renamed[f"{new}{dot}{kind}"] = value
    return renamed


def shift_number(step: int, template: str) -> Callable[[re.Match[str]], str]:
    """Returns a replacement that adds `step` to the number in the first group and writes it into `template`'s {}."""
    return lambda found: template.format(int(found[1]) + step)


def with_zero_biases(weights: Weights) -> Weights:
    """Returns the weights with a bias of zeros for each convolution that has none."""
    zeros = {
        name.removesuffix("weight") + "bias": value.new_zeros(len(value))
        for name, value in weights.items()
        if name.endswith(".weight") and value.dim() == 4
    }
    return zeros | weights


def rename_numbered(weights: Weights, order: Mapping[str, list[str]]) -> Weights:
    """Rename keys that exporters number in the order of the layers: convolution0_weight, batchnorm0_gamma ...

    Args:
        weights: The state dict.
        order: For each kind of layer our modules' names, in that order.

    Returns:
        The renamed state dict; keys that do not fit the pattern stay, and fit no network.
    """
    renamed: Weights = {}
    for name, value in weights.items():
        found = re.fullmatch(r"([a-z]+)(\d+)_(\w+)", name)
        if found is None or found[1] not in order or int(found[2]) >= len(order[found[1]]):
            renamed[name] = value
        else:
            renamed[f"{order[found[1]][int(found[2])]}.{_KINDS.get(found[3], found[3])}"] = value
    return renamed
