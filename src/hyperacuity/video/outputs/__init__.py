"""Where upscaled frames go. Each kind is one module and a line in `OUTPUTS`:

protocol       what `run.upscale` expects of an output (`VideoOutput`)
encoded        a file with everything else of the source; can be resumed
folder, y4m    the frames alone: an image each, or a stream of Y4M
animation      the frames in one animated image
frames_only    what these have in common
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.containers import CONTAINERS
from hyperacuity.video.outputs.animation import AnimationOutput
from hyperacuity.video.outputs.encoded import EncodedOutput
from hyperacuity.video.outputs.folder import FolderOutput
from hyperacuity.video.outputs.protocol import Totals, VideoOutput
from hyperacuity.video.outputs.y4m import Y4MOutput

__all__ = ["OUTPUTS", "Totals", "VideoOutput", "output_type"]

OUTPUTS: tuple[type[VideoOutput], ...] = (FolderOutput, Y4MOutput, AnimationOutput, EncodedOutput)


def output_type(target: Path | IO[bytes]) -> type[VideoOutput]:
    """Returns the class of outputs that writes `target`.

    Raises:
        UsageError: If the path names no video.
    """
    for kind in OUTPUTS:
        if kind.accepts(target):
            return kind
    raise UsageError(
        f"{target} names no video; its suffix must be one of {', '.join(CONTAINERS)}, or that of an "
        "animated image (.gif, .webp, .apng), or the name must be a pattern of frames such as frames/%06d.png"
    )
