"""Enlarges cameras and streams while they run.

    from hyperacuity import Size, live, load

    live.run([load()], live.source("rtsp://camera/stream"), live.sink("udp://239.1.1.1:5000"), Size(2))

loop                the loop from source to sink
options             what can be set for a run
addresses           parsing of source and sink addresses
reading, timeline   the thread that reads a source and reconnects it; when each frame is shown
latest              the one place where the newest frame waits for the network
ladder, candidates  which model computes the next frame, and which models there are to choose from
enlarging           frames at the size of the result
writing, encoding   the thread that encodes for a sink; low-latency settings of the codecs
transports          what carries the encoded stream: datagrams, connections, pipes
statistics, backoff counts, rates and latencies; the wait before the next attempt to connect
"""

from __future__ import annotations

from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.live.addresses import CaptureOptions, LiveSink, LiveSource, sink, source
from hyperacuity.live.candidates import automatic
from hyperacuity.live.loop import run
from hyperacuity.live.options import LiveOptions, LiveOutput
from hyperacuity.live.statistics import LiveStatus

__all__ = [
    "CaptureOptions",
    "Encoding",
    "LiveOptions",
    "LiveOutput",
    "LiveSink",
    "LiveSource",
    "LiveStatus",
    "automatic",
    "run",
    "sink",
    "source",
]
