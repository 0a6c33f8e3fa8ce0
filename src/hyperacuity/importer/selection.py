"""Which tensors of a checkpoint are the network: the rest are its average, its opponent, losses and counters.

Trainings save much beside the network. Names of others for the same part are tried in a fixed order, averaged weights
first, and what is certainly another part is left out; the first selection that fits a network is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

Weights = dict[str, Tensor]

# What all keys of the averaged network begin with, if it lies beside the trained one.
_AVERAGED = (
    "ema_model.",
    "model_ema.",
    "net_g_ema.",
    "netG_ema.",
    "generator_ema.",
    "g_ema.",
    "averaged_model.",
    "ema.",
)
# The same for the network itself.
_GENERATORS = (
    "generator.",
    "netG.",
    "net_g.",
    "G.",
    "gen.",
    "model.",
    "net.",
    "network.",
    "sr_model.",
    "online_model.",
)
# Parts that are no generator, wherever they lie: opponents, losses, teachers.
_OTHERS = {
    "discriminator", "netD", "net_d", "D", "disc", "loss", "losses", "loss_fn", "criterion", "criterions", "perceptual",
    "perceptual_loss", "percep_loss", "pixel_loss", "gan_loss", "cri_pix", "cri_perceptual", "cri_gan", "vgg", "vgg19",
    "lpips", "feature_extractor", "teacher", "net_t", "metric", "metrics", "psnr", "ssim", "data_preprocessor",
}  # fmt: skip
# Words that mark averaged weights in the name of a part.
_AVERAGE_WORDS = {"ema", "swa", "averaged", "avg"}
# Counters that averages and trainers keep among the weights.
_COUNTERS = {
    "n_averaged", "step", "steps", "global_step", "step_counter", "epoch", "num_updates", "decay", "initted",
    "total_ops", "total_params",
}  # fmt: skip
# Prefixes of all keys if the network was saved as a part of something else.
PREFIXES = ("module.", "netG.", "net_g.", "_orig_mod.", "generator.", "ema_model.", "online_model.")

AVERAGE = "the averaged weights (EMA), not those of the last step"


@dataclass(frozen=True)
class Selection:
    """Weights that may be a network's.

    Attributes:
        weights: With the keys that the network gave them, as far as prefixes are known.
        note: What was chosen, in words, if the file holds more than one network.
    """

    weights: Weights
    note: str = ""


def selections(weights: Weights) -> Iterator[Selection]:
    """Yields what may be the network, the most likely first; each only once, and never nothing.

    Args:
        weights: All tensors of a checkpoint.
    """
    plain = {name: value for name, value in weights.items() if name.rpartition(".")[2] not in _COUNTERS}
    seen: set[frozenset[str]] = set()
    for selection in _possible(plain or weights):
        keys = frozenset(selection.weights)
        if keys and keys not in seen:
            seen.add(keys)
            yield selection


def marks_average(name: str) -> bool:
    """Whether the name of a part of a checkpoint says that it is an average, such as "net_ema" or "EMACallback"."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return any(word.lower() in _AVERAGE_WORDS for word in words)


def _possible(weights: Weights) -> Iterator[Selection]:
    parts = dict.fromkeys(name.partition(".")[0] for name in weights if "." in name)
    for prefix in dict.fromkeys([*_AVERAGED, *(f"{part}." for part in parts if marks_average(part))]):
        average = {name: value for name, value in weights.items() if name.startswith(prefix)}
        if average:
            yield Selection(strip_prefixes(_without(average, prefix)), AVERAGE if len(average) < len(weights) else "")
    for prefix in _GENERATORS[:4]:
        generator = {name: value for name, value in weights.items() if name.startswith(prefix)}
        if generator:
            yield Selection(strip_prefixes(_without(generator, prefix)))
    whole = strip_prefixes(weights)
    yield Selection(whole)
    own = {name: value for name, value in whole.items() if not _OTHERS & {*name.split(".")[:-1]}}
    yield Selection(strip_prefixes(own))
    for prefix in _GENERATORS[4:]:
        part = {name: value for name, value in own.items() if name.startswith(prefix)}
        yield Selection(strip_prefixes(_without(part, prefix)))


def strip_prefixes(weights: Weights) -> Weights:
    """Returns the weights without the prefixes that all keys have."""
    while weights:
        prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in weights)), "")
        if not prefix:
            break
        weights = _without(weights, prefix)
    return weights


def _without(weights: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): value for name, value in weights.items()}
