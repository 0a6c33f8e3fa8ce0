"""Whole frames from the fields of interlaced video."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


class Deinterlacer:
    """FFmpeg's bwdif: each pair of fields becomes one frame, at the time of the first field.

    Args:
        stream: The interlaced video.
    """

    def __init__(self, stream: av.VideoStream) -> None:
        self._time_base = stream.time_base
        self._nodes: tuple[Any, ...] = ()
        self._shape: tuple[int, int, str] | None = None

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Yields the whole frames that are ready after one more frame of fields."""
        shape = frame.width, frame.height, frame.format.name
        if shape != self._shape:
            yield from self.flush()
            self._begin(*shape)
        self._nodes[0].push(frame)
        yield from self._ready()

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yields the whole frames that were held back."""
        if self._nodes:
            self._nodes[0].push(None)
            yield from self._ready()
        self._nodes, self._shape = (), None

    def _begin(self, width: int, height: int, pixel_format: str) -> None:
        """Make the filter for frames of this shape: one for another shape would stretch them."""
        import av

        graph = av.filter.Graph()
        buffer = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat(pixel_format), time_base=self._time_base
        )
        self._nodes = (buffer, graph.add("bwdif", "mode=send_frame:parity=auto:deint=all"), graph.add("buffersink"))
        graph.link_nodes(*self._nodes).configure()
        self._graph, self._shape = graph, (width, height, pixel_format)

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
