"""Whose weights these are: the network of ours that has exactly these keys and shapes, however they were named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.importer.configs import CONFIGS, Config, Open, Weights
from hyperacuity.importer.layouts import LAYOUTS, STRANGERS, Answer, Layout
from hyperacuity.importer.reading import listed
from hyperacuity.networks import NETWORKS, build

# What weights of another network make the functions stumble over. Memory is not among it.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, WeightsError)


@dataclass(frozen=True)
class Found:
    """A network of ours, the config to build it with, and its state dict. origin: in whose names the weights came.
    enlarged: see `zoo.Card`.
    """

    origin: str
    architecture: str
    config: Config
    weights: Weights
    enlarged: tuple[int, ...] = ()


def recognise(
    weights: Weights,
    *,
    architecture: str | None = None,
    scale: int | None = None,
    hint: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Found:
    """The network that these weights are for.

    architecture: only this one. scale, settings: what the weights do not say, the latter fields of the config by
    name. hint: a scale that is believed where neither they nor `scale` say one, as from the name of a file.

    Raises `WeightsError` when no network or more than one fits, `UsageError` when something is left open or the
    weights contradict what is asked.
    """
    if architecture is not None:
        build_check(architecture)
    problems: list[str] = []
    fits: dict[str, Found] = {}
    for stripped in _without_common_prefix(weights):
        for layout in (*_own_layouts(), *LAYOUTS):
            if architecture in (None, layout.architecture) and layout.architecture not in fits:
                found = _fit(stripped, layout, problems)
                if found is not None:
                    fits[layout.architecture] = found
        if fits:
            break
    if not fits:
        raise WeightsError(_unknown(weights, problems))
    if len(fits) > 1:
        names = " and of ".join(fits)
        raise WeightsError(f"these may be the weights of {names}: say which by --architecture")
    return _settled(next(iter(fits.values())), scale, hint, settings or {})


def build_check(architecture: str) -> None:
    """Raise `UsageError`, with the nearest name, when there is no such network."""
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
        build_check(architecture)
        complete, problem = _difference(weights, architecture, dict(config))
    except _STUMBLES as error:
        raise WeightsError(f"its card cannot be used: {error}") from error
    if problem:
        raise WeightsError(f"the weights do not fit their own card, of {architecture}: {problem}")
    return Found("Hyperacuity", architecture, dict(config), complete)


def _own_layouts() -> Iterator[Layout]:
    def unchanged(theirs: Weights) -> Answer:
        return theirs, {}

    return (Layout("Hyperacuity", architecture, unchanged) for architecture in CONFIGS)


def _without_common_prefix(weights: Weights) -> Iterator[Weights]:
    """The weights, and again without the first part of their names as long as all have the same."""
    for _ in range(3):
        yield weights
        first = {name.partition(".")[0] for name in weights}
        if len(first) != 1 or any("." not in name for name in weights):
            return
        weights = {name.partition(".")[2]: value for name, value in weights.items()}


def _fit(theirs: Weights, layout: Layout, problems: list[str]) -> Found | None:
    config: Config = {}
    try:
        answer = layout.convert(theirs)
        if answer is None:
            return None
        ours, origin = answer
        config = CONFIGS[layout.architecture](ours) | origin
        complete, problem = _difference(ours, layout.architecture, config)
    except _STUMBLES as error:
        # Keys that are all known are worth a word; what a layout of ours says to a stranger's are not.
        if layout.origin != "Hyperacuity" and isinstance(error, ValueError):
            problems.append(f"the keys are those of {layout.origin}, but {error}")
        return None
    if problem:
        if layout.origin != "Hyperacuity" or not problem.startswith("it lacks"):
            problems.append(f"the keys are those of {_by(layout)}, but {problem}")
        return None
    return Found(layout.origin, layout.architecture, config, complete)


def _by(layout: Layout) -> str:
    return layout.architecture if layout.origin == "Hyperacuity" else layout.origin


def _difference(ours: Weights, architecture: str, config: Config) -> tuple[Weights, str]:
    """The complete state dict, and in words what keeps it from fitting; nothing when it fits.

    How many batches a normalisation has seen counts for nothing: it is left out and filled in as needed.
    """
    first = {name: value.values[0] if isinstance(value, Open) else value for name, value in config.items()}
    expected = shapes(architecture, first)
    counters = {name for name in (*ours, *expected) if name.endswith("num_batches_tracked")}
    complete = {name: value for name, value in ours.items() if name not in counters - expected.keys()}
    complete |= {name: torch.tensor(0) for name in counters & expected.keys() - ours.keys()}
    if lacking := expected.keys() - complete.keys():
        return complete, f"it lacks {listed(sorted(lacking))}"
    if beyond := complete.keys() - expected.keys():
        return complete, f"it has more: {listed(sorted(beyond))}"
    for name, shape in expected.items():
        if tuple(complete[name].shape) != shape:
            return complete, f"{name} is {tuple(complete[name].shape)}, not {shape}"
    return complete, ""


def shapes(architecture: str, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The keys of a network's state dict with their shapes, found without any memory for them."""
    with torch.device("meta"), _Uninitialised():
        network: nn.Module = build(architecture, config)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


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
    """The config with what the weights leave open filled in."""
    config = found.config | dict(settings)
    told = config.get("scale")
    if isinstance(told, Open):
        chosen = scale if scale is not None else hint
        choices = ", ".join(map(str, told.values))
        if chosen is None:
            raise UsageError(
                f"these are weights of {found.origin if found.origin != 'Hyperacuity' else found.architecture}, which "
                f"do not say by how much they enlarge: add --scale ({choices}), or name the file so, as in NAME-x2"
            )
        if chosen not in told.values:
            raise UsageError(f"weights of {found.architecture} cannot enlarge x{chosen}; there are {choices}")
        config["scale"] = chosen
    elif told is not None and scale is not None and told != scale:
        raise UsageError(f"these weights of {found.architecture} enlarge x{told}, not x{scale}: leave out --scale")
    for name, value in config.items():
        if isinstance(value, Open):
            choices = " or ".join(f"--set {name}={each}" for each in value.values)
            raise UsageError(f"the weights of {found.architecture} do not say their {name}: add {choices}")
    problem = _difference(found.weights, found.architecture, config)[1] if settings else ""
    if problem:
        raise UsageError(f"with {dict(settings)} the weights do not fit {found.architecture}: {problem}")
    enlarged = _enlarged(found.architecture, scale if scale is not None else hint) if told is None else ()
    return Found(found.origin, found.architecture, config, found.weights, enlarged)


def _enlarged(architecture: str, chosen: int | None) -> tuple[int, ...]:
    """The scales of a network that is given an enlarged image: one set of weights of VDSR serves three."""
    if chosen is None and architecture != "vdsr":
        raise UsageError(
            f"these are weights of {architecture}, which do not say how much enlarged an image they take: add --scale "
            "(2, 3, 4), or name the file so, as in NAME-x2"
        )
    return (2, 3, 4) if chosen is None else (chosen,)


def _unknown(weights: Weights, problems: list[str]) -> str:
    seen = f"Its keys: {listed(weights)}."
    stranger = next((what for keys, what in STRANGERS if all(_has(weights, key) for key in keys)), "")
    if stranger:
        return f"this fits no network here: it looks like {stranger}. {seen}"
    if problems:
        return f"this fits no network here: {problems[0]}. {seen}"
    return f"this fits no network here; the nearest is {nearest_architecture(weights)}. {seen}"


def _has(weights: Weights, pattern: str) -> bool:
    return any(re.fullmatch(pattern, name) for name in weights)


def nearest_architecture(weights: Weights) -> str:
    """The network whose words in its keys, and whose sides of kernels, are most alike."""
    words, sides = _words(" ".join(weights)), _sides(tuple(value.shape) for value in weights.values())

    def likeness(architecture: str) -> float:
        ours = shapes(architecture, {})
        others = (layout.words for layout in LAYOUTS if layout.architecture == architecture)
        named = max(_overlap(words, _words(text)) for text in (" ".join(ours), *others))
        return 2 * named + _overlap(sides, _sides(ours.values()))

    return max(CONFIGS, key=likeness)


def _words(text: str) -> Counter[str]:
    return Counter(set(re.findall(r"[a-zA-Z_]{2,}", text)) - {"weight", "bias"})


def _sides(every: Iterable[tuple[int, ...]]) -> Counter[str]:
    """How many per cent of the tensors have kernels of which sides."""
    counted = Counter(str(shape[2:]) for shape in every)
    return Counter({sides: round(100 * number / counted.total()) for sides, number in counted.items()})


def _overlap(a: Counter[str], b: Counter[str]) -> float:
    return (a & b).total() / max(1, (a | b).total())
