"""Folders of frames: numbered images that a pattern such as "frames/%06d.png" names."""

from __future__ import annotations

import re
from pathlib import Path

from hyperacuity.errors import UsageError
from hyperacuity.formats.video import ONLY_READ, SUFFIXES

# A letter after "%d" continues a word, as in "50%deal.png".
_COUNTER = re.compile(r"%(0\d+d|d(?![^\W\d_]))")


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern of frames, such as "frames/%06d.png".

    It is a name if a file has exactly that name, or if it has the ending of a video.
    """
    counted = _COUNTER.search(path.name) is not None and path.name.count("%") == 1
    return counted and path.suffix.lower() not in (*SUFFIXES, *ONLY_READ) and not path.exists()


def existing_frames(pattern: Path) -> dict[int, Path]:
    """Returns the files that match a pattern, by their numbers in order."""
    match = _COUNTER.search(pattern.name)
    assert match is not None
    before, after = pattern.name[: match.start()], pattern.name[match.end() :]
    files = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found = [files.fullmatch(path.name) for path in pattern.parent.iterdir()] if pattern.parent.is_dir() else []
    numbers = sorted(int(one[1]) for one in found if one is not None and pattern.name % int(one[1]) == one[0])
    return {number: pattern.with_name(pattern.name % number) for number in numbers}


def frame_numbers(pattern: Path) -> list[int]:
    """Returns the numbers of the files that match a pattern, without gaps.

    Raises:
        UsageError: If there are no files, or one is missing between others.
    """
    numbers = list(existing_frames(pattern))
    if not numbers:
        raise UsageError(f"there are no files {pattern}")
    for number, expected in zip(numbers, range(numbers[0], numbers[-1] + 1), strict=False):
        if number != expected:
            raise UsageError(f"{pattern.parent / (pattern.name % expected)} is missing between the other frames")
    return numbers
