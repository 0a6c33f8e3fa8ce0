from __future__ import annotations

import inspect

import pytest

from hyperacuity import errors
from hyperacuity.errors import HyperacuityError, nearest

DEFINED = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
EVERY = [kind for kind in DEFINED if issubclass(kind, errors.Curable) and kind is not errors.Curable]


def test_all_have_one_root() -> None:
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
def test_who_does_not_know_us_can_still_catch_them(kind: type[Exception], plain: type[Exception]) -> None:
    with pytest.raises(plain, match="the cure"):
        raise kind("the cure")


def test_the_drawn_tree_is_the_true_one() -> None:
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


def test_of_nothing_nothing_is_near() -> None:
    assert nearest("fsrcnn", []) == ""
