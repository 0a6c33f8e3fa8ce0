"""Reading and writing files. A format is one module, and one line in `table`.

    table        the table of formats, and the endings that they write
    files        open and create files: `read`, `row_source`, `write`; what a name means: `knows`, `is_video`
    expected     what a person expects to be read in a folder: `walk`, `classify`
    protocol     what a format, a source and a sink are, and what a format can hold
    inventory    what a file holds besides pixels, and what of it another format cannot hold
    content      the bytes of a file that is being opened
    foreign      files that are recognised but not read
    photo        formats of images and animations, one module each
    video        videos, which are more than images one after another

Codecs are imported when a file is opened, not before.
"""

from __future__ import annotations

from hyperacuity.formats.files import (
    ending,
    ending_of_content,
    is_animation,
    is_video,
    is_video_or_frames,
    knows,
    list_items,
    names_video,
    read,
    readable,
    row_source,
    size_in_header,
    write,
)
from hyperacuity.formats.protocol import Capacity, Format, LossWarning, Sink, Source
from hyperacuity.formats.table import suffixes

__all__ = [
    "Capacity",
    "Format",
    "LossWarning",
    "Sink",
    "Source",
    "ending",
    "ending_of_content",
    "is_animation",
    "is_video",
    "is_video_or_frames",
    "knows",
    "list_items",
    "names_video",
    "read",
    "readable",
    "row_source",
    "size_in_header",
    "suffixes",
    "write",
]
