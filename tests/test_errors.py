from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from hyperacuity import errors
from hyperacuity.errors import LEAVE_OUT, OTHER, Cure, HyperacuityError, Run, Use, cure_from_json, nearest

DEFINED = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
EVERY = [kind for kind in DEFINED if issubclass(kind, errors.Curable) and kind is not errors.Curable]


def test_all_errors_have_one_root() -> None:
    assert len(EVERY) >= 10
    assert all(issubclass(kind, HyperacuityError) for kind in EVERY if not issubclass(kind, Warning))


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (errors.UsageError, ValueError),
        (errors.UnknownModel, errors.UsageError),
        (errors.UnsupportedFormat, errors.UsageError),
        (errors.DamagedFile, ValueError),
        (errors.MissingDependency, ImportError),
        (errors.OutOfMemory, MemoryError),
    ],
)
def test_errors_can_be_caught_as_those_of_python(kind: type[Exception], plain: type[Exception]) -> None:
    with pytest.raises(plain, match="the cure"):
        raise kind("the cure")


def test_a_message_that_ends_with_one_of_another_library_is_one_line() -> None:
    assert str(errors.DamagedFile("a.heic is damaged: Unexpected end of file\n\n")).endswith("of file")


def test_the_tree_in_the_docstring_is_complete() -> None:
    drawing = errors.__doc__ or ""
    assert all(kind.__name__ in drawing for kind in EVERY)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("fsrcn", ". Did you mean 'fsrcnn'?"),
        ("FSRCNN", ". Did you mean 'fsrcnn'?"),
        ("edsr_baseline_x2", ". Did you mean 'EDSR_baseline_x2'?"),
        ("REALESRGAN", ". Did you mean 'RealESRGAN'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_found_whatever_its_case(word: str, found: str) -> None:
    assert nearest(word, iter(["fsrcnn", "EDSR_baseline_x2", "RealESRGAN", "vdsr"])) == found


def test_without_names_none_is_near() -> None:
    assert nearest("fsrcnn", []) == ""


@pytest.mark.parametrize(
    "cure",
    [
        Use(engine="pytorch", tile=0),
        Use(precision=LEAVE_OUT),
        Use(output=OTHER),
        Run("import", Path("a.pth")),
        Run("tune"),
    ],
)
def test_cures_go_through_json_and_back(cure: Cure) -> None:
    assert cure_from_json(json.loads(json.dumps(cure.to_json()))) == cure


@pytest.mark.parametrize(
    ("cure", "words"),
    [
        (Use(engine="pytorch", tile=0), 'use engine="pytorch" and tile=0'),
        (Use(tile=0, engine=LEAVE_OUT), "use tile=0 and leave out engine"),
        (Use(output=OTHER), "use another output"),
        (Run("import", "a.pth"), "call hyperacuity.importer.convert on a.pth"),
        (Run("tune"), "call hyperacuity's tune"),
    ],
)
def test_cures_in_the_words_of_python(cure: Cure, words: str) -> None:
    assert str(cure) == words
