"""Options that are declared once, and cures in their words."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest
from typer.models import OptionInfo

from hyperacuity import engines, metrics
from hyperacuity.cli import evaluate, live, options, tune, upscale
from hyperacuity.cli.wording import describe, describe_cure
from hyperacuity.errors import LEAVE_OUT, OTHER, Cure, Run, UsageError, Use
from hyperacuity.metrics.protocols import PROTOCOLS
from hyperacuity.task import Message


def declarations(command: Any) -> dict[str, OptionInfo]:
    hints = typing.get_type_hints(command, include_extras=True)
    return {
        name: entry
        for name in inspect.signature(command).parameters
        for entry in getattr(hints[name], "__metadata__", ())
        if isinstance(entry, OptionInfo)
    }


def test_the_engines_in_the_help_are_those_of_the_table() -> None:
    assert set(options.ENGINES) == set(engines.ENGINES)


def test_the_metrics_and_protocols_in_the_help_are_those_of_the_tables() -> None:
    assert tuple(metrics.METRICS) == options.METRICS
    assert options.DEFAULT_METRICS == metrics.DEFAULT_METRICS
    assert tuple(PROTOCOLS) == options.PROTOCOLS


def test_the_precisions_in_the_help_are_those_of_the_engines() -> None:
    assert typing.get_args(engines.Precision) == options.PRECISIONS


@pytest.mark.parametrize("name", ["engine", "device"])
def test_shared_options_have_one_declaration(name: str) -> None:
    first, *others = [declarations(each.command)[name] for each in (upscale, live, evaluate)]
    assert all(other is first for other in others)


def test_the_model_options_have_one_declaration() -> None:
    assert declarations(tune.command)["model_path"] is declarations(upscale.command)["model_path"]


@pytest.mark.parametrize("command", [upscale.command, live.command])
def test_every_option_has_a_help_and_a_panel(command: Any) -> None:
    for name, option in declarations(command).items():
        assert option.help, name
        assert option.rich_help_panel, name


@pytest.mark.parametrize(
    ("cure", "words"),
    [
        (Use(engine="pytorch"), "add --engine pytorch"),
        (Use(engine=LEAVE_OUT), "leave out --engine"),
        (Use(engine="pytorch", tile=LEAVE_OUT), "add --engine pytorch and leave out --tile"),
        (Use(tile=0, tta=True), "add --tile 0 and --tta"),
        (Use(deinterlace=False), "leave out --deinterlace"),
        (Use(model="bicubic"), "add -n bicubic"),
        (Use(output=OTHER), "give another -o"),
        (Use(recursive=True), "add -r"),
        (Use(capture_size="1280x720"), "add --capture-size 1280x720"),
        (Use(encoder={"tune": "film", "level": 3}), "add -e tune=film -e level=3"),
        (Use(settings={"activation": "relu"}), "add --set activation=relu"),
        (Use(lpips_weights=("A", "B")), "add --lpips-weights A B"),
        (Run("import", "my net.pth"), "run: hyperacuity import 'my net.pth'"),
    ],
)
def test_cures_become_options(cure: Cure, words: str) -> None:
    assert describe_cure(cure) == words


def test_alternatives_are_listed_after_the_message() -> None:
    error = UsageError("8 bits need ONNX Runtime", Use(engine=LEAVE_OUT), Use(precision=LEAVE_OUT))
    words = "8 bits need ONNX Runtime: leave out --engine, or leave out --precision"
    assert describe(error) == describe(Message.from_exception(error)) == words
    assert describe("plain text") == describe(ValueError("plain text")) == "plain text"
