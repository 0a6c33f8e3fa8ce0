"""Make a short video and enlarge it; needs `pip install 'hyperacuity[video]'`.

    python examples/enlarge_video.py [FOLDER]

The command is called as from a shell. It resumes after an interruption, copies sound and subtitles, and checks the
result.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np


def write_video(path: Path, frames: int = 6) -> None:
    """Write a bright square that moves over a grey ground."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), 90, np.uint8)
            pixels[16:32, 8 + 4 * number : 24 + 4 * number] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def main(folder: Path) -> None:
    """Write small.mp4 and large.mp4 into a folder."""
    small, large = folder / "small.mp4", folder / "large.mp4"
    write_video(small)
    command = [sys.executable, "-m", "hyperacuity", "upscale", str(small), "-o", str(large)]
    subprocess.run([*command, "-n", "fast", "-s", "2", "--force", "--quiet"], check=True)
    with av.open(str(large)) as container:
        stream = container.streams.video[0]
        print(f"{stream.width} x {stream.height}, {sum(1 for _ in container.decode(video=0))} frames")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
