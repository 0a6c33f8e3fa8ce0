"""Which network of ours weights are for: the one that has exactly their keys and shapes, once these are renamed."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hyperacuity.errors import LEAVE_OUT, UsageError, Use, WeightsError
from hyperacuity.importer.reading import list_first
from hyperacuity.importer.selection import selections
from hyperacuity.importer.unsupported import UNSUPPORTED
from hyperacuity.networks import NETWORKS, KeyLayout, Undetermined, build
from hyperacuity.networks.declaration import ConfigFields, Weights

# What functions of a state dict may raise for weights of another network. Not MemoryError.
_FOREIGN_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, WeightsError)


@dataclass(frozen=True)
class Found:
    """Weights whose network is known.

    Attributes:
        origin: The project whose keys the weights had.
        architecture: A network of the table.
        config: What to build it with.
        weights: Its state dict.
        enlarged: See `zoo.Card`.
        note: Which weights of several in the file these are, in words.
    """

    origin: str
    architecture: str
    config: ConfigFields
    weights: Weights
    enlarged: tuple[int, ...] = ()
    note: str = ""


OURS = "Hyperacuity"


def recognise(
    weights: Weights,
    *,
    architecture: str | None = None,
    scale: int | None = None,
    hint: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Found:
    """Find the network that these weights are for.

    Args:
        weights: A state dict, in our keys or those of another project; other networks may lie next to it.
        architecture: Only this network is tried.
        scale: By how much the network enlarges, if the weights do not determine it.
        hint: The same, of less weight, such as a number in the file's name.
        settings: Config fields that the weights do not determine.

    Raises:
        WeightsError: No network fits.
        UsageError: More than one fits, something is left open, or the weights contradict an argument.
    """
    if architecture is not None:
        check_architecture(architecture)
    problems: list[str] = []
    fits: dict[str, Found] = {}
    for selection in selections(weights):
        for stripped in _without_common_prefix(selection.weights):
            for name, layout in _layouts():
                if architecture in (None, name) and name not in fits:
                    found = _fit(stripped, name, layout, problems)
                    if found is not None:
                        fits[name] = replace(found, note=selection.note)
            if fits:
                break
        if fits:
            break
    if not fits:
        raise WeightsError(_unknown(weights, problems))
    if len(fits) > 1:
        names = " and of ".join(fits)
        raise WeightsError(f"these may be the weights of {names}", *(Use(architecture=name) for name in fits))
    return _settled(next(iter(fits.values())), scale, hint, settings or {})


def check_architecture(architecture: str) -> None:
    """Raise `UsageError`, which names the nearest, if there is no such network."""
    if architecture not in NETWORKS:
        build(architecture, {})


def fit_own(weights: Weights, architecture: str, config: Mapping[str, Any]) -> Found:
    """Weights that come with our card: nothing is to be recognised. Raises `WeightsError` when they do not fit it."""
    # So that a damaged card cannot ask for a billion layers.
    largest = max(len(weights), *(max(value.shape, default=0) for value in weights.values() if value.numel()), 255)
    numbers = [value for value in config.values() if isinstance(value, int | float)]
    if not all(0 <= value <= largest for value in numbers):
        raise WeightsError(f"the card's config does not fit its weights: {dict(config)}")
    try:
        check_architecture(architecture)
        complete, problem = _difference(weights, architecture, dict(config))
    except _FOREIGN_FAILURES as error:
        raise WeightsError(f"its card cannot be used: {error}") from error
    if problem:
        raise WeightsError(f"the weights do not fit their own card, of {architecture}: {problem}")
    return Found(OURS, architecture, dict(config), complete)


def _layouts() -> Iterator[tuple[str, KeyLayout]]:
    """Every network with each layout of its keys; our own before those of other projects."""
    ours = KeyLayout(OURS, lambda weights: (weights, {}))
    yield from ((name, ours) for name in NETWORKS)
    yield from ((name, layout) for name, network in NETWORKS.items() for layout in network.layouts)


def _without_common_prefix(weights: Weights) -> Iterator[Weights]:
    """The weights, and again without the first part of their names as long as all have the same."""
    for _ in range(3):
        yield weights
        first = {name.partition(".")[0] for name in weights}
        if len(first) != 1 or any("." not in name for name in weights):
            return
        weights = {name.partition(".")[2]: value for name, value in weights.items()}


def _fit(theirs: Weights, architecture: str, layout: KeyLayout, problems: list[str]) -> Found | None:
    """The weights as those of a network in one layout; None, and perhaps a line in `problems`, if they do not fit."""
    try:
        converted = layout.convert(theirs)
        if converted is None:
            return None
        ours, fields = converted
        config = NETWORKS[architecture].config_from_weights(ours) | fields
        complete, problem = _difference(ours, architecture, config)
    except _FOREIGN_FAILURES as error:
        # Worth reporting if all keys are known; our own layout fails on foreign keys as a matter of course.
        if layout.origin != OURS and isinstance(error, ValueError):
            problems.append(f"the keys are those of {layout.origin}, but {error}")
        return None
    if problem:
        if layout.origin != OURS or not problem.startswith("it lacks"):
            owner = architecture if layout.origin == OURS else layout.origin
            problems.append(f"the keys are those of {owner}, but {problem}")
        return None
    return Found(layout.origin, architecture, config, complete)


def _difference(ours: Weights, architecture: str, config: ConfigFields) -> tuple[Weights, str]:
    """The complete state dict, and in words what keeps it from fitting; nothing when it fits.

    How many batches a normalisation has seen counts for nothing: it is left out and filled in as needed.
    """
    first = {name: value.values[0] if isinstance(value, Undetermined) else value for name, value in config.items()}
    expected = shapes(architecture, first)
    counters = {name for name in (*ours, *expected) if name.endswith("num_batches_tracked")}
    complete = {name: value for name, value in ours.items() if name not in counters - expected.keys()}
    complete |= {name: torch.tensor(0) for name in counters & expected.keys() - ours.keys()}
    if lacking := expected.keys() - complete.keys():
        return complete, f"it lacks {list_first(sorted(lacking))}"
    if beyond := complete.keys() - expected.keys():
        return complete, f"it has more: {list_first(sorted(beyond))}"
    for name, shape in expected.items():
        if tuple(complete[name].shape) != shape:
            return complete, f"{name} is {tuple(complete[name].shape)}, not {shape}"
    return complete, ""


def shapes(architecture: str, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The keys of a network's state dict with their shapes, found without any memory for them."""
    with torch.device("meta"), _Uninitialised():
        network: nn.Module = build(architecture, config)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@functools.cache
def _default_shapes(architecture: str) -> Mapping[str, tuple[int, ...]]:
    """`shapes` of the default config, kept: a large network takes a second."""
    return shapes(architecture, {})


class _Uninitialised(TorchFunctionMode):
    """Leaves out what fills fresh weights: on tensors without memory it takes seconds, and gives nothing."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _settled(found: Found, scale: int | None, hint: int | None, settings: Mapping[str, Any]) -> Found:
    """The same with what the weights leave open filled in."""
    config = found.config | dict(settings)
    own_scale = config.get("scale")
    if isinstance(own_scale, Undetermined):
        config["scale"] = _chosen_scale(found, own_scale, scale if scale is not None else hint)
    elif own_scale is not None and scale is not None and own_scale != scale:
        raise UsageError(
            f"these weights of {found.architecture} enlarge x{own_scale}, not x{scale}", Use(scale=LEAVE_OUT)
        )
    for name, value in config.items():
        if isinstance(value, Undetermined):
            choices = (Use(settings={name: each}) for each in value.values)
            raise UsageError(f"the weights of {found.architecture} do not determine their {name}", *choices)
    problem = _difference(found.weights, found.architecture, config)[1] if settings else ""
    if problem:
        raise UsageError(f"with {dict(settings)} the weights do not fit {found.architecture}: {problem}")
    enlarged = _enlarged(found.architecture, scale if scale is not None else hint) if own_scale is None else ()
    return replace(found, config=config, enlarged=enlarged)


def _chosen_scale(found: Found, possible: Undetermined, chosen: int | None) -> int:
    choices = ", ".join(map(str, possible.values))
    if chosen is None:
        owner = found.architecture if found.origin == OURS else found.origin
        raise UsageError(
            f"these are weights of {owner}, which do not determine the scale ({choices}); name the file as NAME-x2, or "
            "give the scale",
            Use(scale=possible.values[0]),
        )
    if chosen not in possible.values:
        raise UsageError(f"weights of {found.architecture} cannot enlarge x{chosen}; there are {choices}")
    return chosen


def _enlarged(architecture: str, chosen: int | None) -> tuple[int, ...]:
    """The scales of a network whose input bicubic has enlarged."""
    served = NETWORKS[architecture].enlarged
    if chosen is None and not served:
        raise UsageError(
            f"these are weights of {architecture}, which do not determine how much enlarged an image they take (2, 3, "
            "4); name the file as NAME-x2, or give the scale",
            Use(scale=2),
        )
    return served if chosen is None else (chosen,)


def _unknown(weights: Weights, problems: list[str]) -> str:
    seen = f"Its keys: {list_first(weights)}."
    for selection in selections(weights):
        for keys, what in UNSUPPORTED:
            if all(_has(selection.weights, key) for key in keys):
                return f"this fits no network here: it looks like {what}. {seen}"
    if problems:
        return f"this fits no network here: {problems[0]}. {seen}"
    nearest = nearest_architecture(weights)
    return f"this fits no network here{f'; the nearest is {nearest}' if nearest else ''}. {seen}"


def _has(weights: Weights, pattern: str) -> bool:
    return any(re.fullmatch(pattern, name) for name in weights)


def nearest_architecture(weights: Weights) -> str | None:
    """The network whose words in its keys, and whose sides of kernels, are most alike; None if no word is."""
    words, sides = _words(" ".join(weights)), _sides(tuple(value.shape) for value in weights.values())

    def likeness(architecture: str) -> float:
        ours = _default_shapes(architecture)
        others = (layout.words for layout in NETWORKS[architecture].layouts)
        named = max(_overlap(words, _words(text)) for text in (" ".join(ours), *others))
        return 2 * named + _overlap(sides, _sides(ours.values())) if named else 0.0

    alike = {architecture: likeness(architecture) for architecture in NETWORKS}
    nearest = max(alike, key=alike.__getitem__)
    return nearest if alike[nearest] else None


def _words(text: str) -> Counter[str]:
    return Counter(set(re.findall(r"[a-zA-Z_]{2,}", text)) - {"weight", "bias"})


def _sides(every: Iterable[tuple[int, ...]]) -> Counter[str]:
    """How many per cent of the tensors have kernels of which sides."""
    counted = Counter(str(shape[2:]) for shape in every)
    return Counter({sides: round(100 * number / counted.total()) for sides, number in counted.items()})


def _overlap(a: Counter[str], b: Counter[str]) -> float:
    return (a & b).total() / max(1, (a | b).total())
