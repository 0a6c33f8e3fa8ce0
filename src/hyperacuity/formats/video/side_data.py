"""Side data of decoded frames, read so that each block of memory is freed once."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


def read_side_data(frame: av.VideoFrame) -> Mapping[str, Any]:
    """Returns the blocks of side data of a frame, by FFmpeg's names for them.

    PyAV (up to 18.1) frees the dictionary of a block, and FFmpeg frees it again with the frame, which ends the process:
    frames of PNG files with an ICC profile have one, with the name of the profile. So PyAV's object for such a
    dictionary, of some dozen bytes, is never released. All access to side data goes through this function.
    """
    import av.dictionary

    blocks = {}
    for block in frame.side_data:
        for held in gc.get_referents(block):
            if isinstance(held, av.dictionary.Dictionary) and len(held):
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
        kind: Any = block.type  # type: ignore[attr-defined]
        blocks[getattr(kind, "name", str(kind))] = block
    return blocks
