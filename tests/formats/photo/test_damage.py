"""Damaged and hostile files raise our errors and nothing else."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat
from hyperacuity.formats import LossWarning
from tests.formats.samples import (
    KINDS,
    encoded,
)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files_are_damaged_at_every_length(kind: str) -> None:
    data = encoded(kind)
    # A file that lacks only its end marker has all its pixels.
    whole = len(data) - {"JPEG": 2, "PNG": 12, "APNG": 12}.get(kind, 0)
    for length in sorted({*range(1, 64, 5), *range(64, whole, max(1, len(data) // 40)), *range(len(data) - 20, whole)}):
        with pytest.raises((DamagedFile, UnsupportedFormat)) as caught, formats.read(data[:length]) as source:
            list(source)
        if length >= 18:
            assert caught.type is DamagedFile, f"{length} of {len(data)}: {caught.value}"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=6))
def test_flipped_bits_raise_only_our_errors(kind: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(encoded(kind))
    for where, bit in flips:
        data[int(where * len(data))] ^= 1 << bit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        try:
            with formats.read(bytes(data)) as source:
                list(source)
        except HyperacuityError:
            pass


@settings(max_examples=150, deadline=None)
@given(head=st.sampled_from([encoded(kind)[:12] for kind in KINDS]), tail=st.binary(max_size=400))
def test_noise_after_a_magic_number_raises_only_our_errors(head: bytes, tail: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        try:
            with formats.read(head + tail) as source:
                list(source)
        except HyperacuityError:
            pass


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        data = encoded(kind)
        for length in (len(data), len(data) * 2 // 3):
            try:
                with formats.read(data[:length]) as source:
                    list(source)
            except HyperacuityError:
                pass
    assert capfd.readouterr() == ("", "")
