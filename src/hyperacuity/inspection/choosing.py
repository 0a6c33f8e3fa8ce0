"""Which family of models `auto` takes for an image or a video."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from hyperacuity import zoo
from hyperacuity.errors import HyperacuityError
from hyperacuity.inspection.decision import Verdict, decide, describe_limits, describe_reason
from hyperacuity.inspection.record import Inspection
from hyperacuity.size import Size
from hyperacuity.task import Choice, Options

# How faithful "auto" is, by the verdict of `decide`: exact consistency brings back noise and blocks of the input.
FAITHFULNESS: dict[Verdict, float] = {"clean": 1.0, "between": 0.5, "dirty": 0.0}


def clean_options(options: Options) -> Options:
    """Returns the options with which a clean image is computed: unchanged if nothing in them is "auto"."""
    options = replace(options, faithful=1.0) if options.faithful == zoo.AUTO else options
    return options if _names_model(options) else replace(options, model=None, strength=None)


def choose_model(
    options: Options, size: Size, measure: Callable[[], Inspection | None], *, explain: bool = False
) -> tuple[Options, Choice | None]:
    """Choose a family of models, and how faithful the result is, for one image or video.

    Args:
        options: Those of the request. If they name a model and a faithfulness, nothing is measured.
        size: The requested size of the result.
        measure: Measures the image; returns None for what cannot be measured in advance, such as a video in a pipe. If
            it raises one of our errors, the default model is chosen: reading the image will raise the same error.
        explain: Whether to measure even if the zoo has only one of the families.

    Returns:
        The options with the model, and why it was chosen; None if nothing was measured.

    Raises:
        UsageError: If a side of the result is longer than any file can hold.
    """
    if options.faithful == zoo.AUTO:
        measure = functools.cache(measure)
        found = None
        with contextlib.suppress(HyperacuityError):
            found = measure()
        options = replace(options, faithful=1.0 if found is None else FAITHFULNESS[decide(found)])
    if _names_model(options):
        return options, None
    found = None
    if explain or zoo.has_roles():
        with contextlib.suppress(HyperacuityError):
            found = measure()
    if found is None:
        return replace(options, model=None), None
    verdict = decide(found)
    # A network for clean images has no strength; asked for one, every other image gets the network that has.
    strong = options.strength is not None and verdict != "clean"
    scale = size.resolve(found.height, found.width)[0] / found.height
    family = zoo.find_role("dirty" if strong else verdict, scale)
    choice = Choice(family, verdict, describe_reason(found), describe_limits(found), _measurements(found))
    model = None if family == zoo.DEFAULT else family
    return replace(options, model=model, strength=options.strength if strong else None), choice


def _names_model(options: Options) -> bool:
    return options.model_path is not None or options.model not in (None, zoo.AUTO)


def _measurements(found: Inspection) -> dict[str, Any]:
    """The measurements that exist, as JSON knows them."""
    return {
        name: list(value) if isinstance(value, tuple) else round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(found).items()
        if value is not None
    }
