"""Whole frames from the fields of interlaced video."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av


class Deinterlacer:
    """FFmpeg's bwdif: each pair of fields becomes one frame, at the time of the first field.

    Args:
        stream: The interlaced video.
    """

    def __init__(self, stream: av.VideoStream) -> None:
        import av

        self._graph = av.filter.Graph()
        self._time_base = stream.time_base
        self._nodes = (
            self._graph.add_buffer(template=stream),
            self._graph.add("bwdif", "mode=send_frame:parity=auto:deint=all"),
            self._graph.add("buffersink"),
        )
        self._graph.link_nodes(*self._nodes).configure()

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Yields the whole frames that are ready after one more frame of fields."""
        self._nodes[0].push(frame)
        yield from self._ready()

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yields the whole frames that were held back."""
        self._nodes[0].push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[av.VideoFrame]:
        import av

        while True:
            try:
                frame = self._nodes[-1].pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.VideoFrame)
            assert frame.pts is not None
            assert self._time_base is not None
            assert frame.time_base is not None
            # The filter counts in half units.
            frame.pts = round(frame.pts * frame.time_base / self._time_base)
            frame.duration = round((frame.duration or 0) * frame.time_base / self._time_base)
            frame.time_base = self._time_base
            yield frame
