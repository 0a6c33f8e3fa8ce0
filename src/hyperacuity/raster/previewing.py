"""A part of a scene before and after, as an image with a scale bar."""

from __future__ import annotations
