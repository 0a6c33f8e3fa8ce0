"""Encoding depends on the frames and settings alone, not on what the memory held before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from hyperacuity.formats.video.codecs import CODECS, Encoding
from hyperacuity.formats.video.encoder import Encoder, EncoderTarget
from hyperacuity.formats.video.frames import FrameFormat

# The width is not a multiple of 128: x264's code for AVX-512 takes eight macroblocks at once.
HEIGHT, WIDTH = 270, 486


def encoded(codec: str, options: dict[str, str] | None = None) -> bytes:
    """Twelve frames of a pattern of blocks that moves, in one thread."""
    pattern = np.random.default_rng(1).integers(20, 230, (60, 120), np.uint8).repeat(8, 0).repeat(8, 1)
    encoding = Encoding(codec, options={"threads": "1", **(options or {})}).resolved(".mkv")
    target = EncoderTarget(encoding, FrameFormat(HEIGHT, WIDTH), Fraction(1, 1000), Fraction(25))
    encoder = Encoder(target)
    packets = []
    for number in range(12):
        luma = pattern[3 * number :, 5 * number :][:HEIGHT, :WIDTH]
        packets += encoder.encode((luma, luma[::2, ::2], luma[1::2, 1::2]), 40 * number)
    return b"".join(bytes(packet) for packet in packets + encoder.finish())


def digests(filler: int) -> dict[str, str]:
    """Of all codecs, computed in a process whose new memory is filled with a number (by glibc)."""
    code = (
        "import hashlib, json; from tests.video.test_repeatability import CODECS, encoded;"
        "print(json.dumps({codec: hashlib.sha256(encoded(codec)).hexdigest() for codec in CODECS}))"
    )
    environment = {**os.environ, "MALLOC_PERTURB_": str(filler), "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(run.stdout)
    return found


def test_no_encoder_depends_on_what_the_memory_held_before() -> None:
    first = digests(1)
    assert set(first) == set(CODECS)
    assert digests(170) == digests(0) == first


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_parameters_of_the_caller_join_our_own(codec: str) -> None:
    name = CODECS[codec].parameters
    assert name is not None
    own = CODECS[codec].options[name]
    assert Encoding(codec, options={name: "keyint=3"}).resolved(".mkv").settings()[name] == f"{own}:keyint=3"
    assert encoded(codec, {name: "keyint=3"}) != encoded(codec)
