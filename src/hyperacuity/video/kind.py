"""Decides which files are videos."""

from __future__ import annotations

from pathlib import Path

from hyperacuity import formats
from hyperacuity.formats.video.patterns import is_pattern


def is_video(path: Path) -> bool:
    """Whether a path is a video file, by its first bytes, or a pattern of frames such as "frames/%06d.png"."""
    return is_pattern(path) or formats.is_video(path)
