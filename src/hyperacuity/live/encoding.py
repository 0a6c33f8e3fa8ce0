"""Low-latency settings of the codecs, and what players of live streams can decode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.formats.video.frames import FrameFormat
from hyperacuity.live.addresses import LiveSink

# The unit of time of MPEG-TS, in seconds.
TIME_BASE = Fraction(1, 90_000)
# Preset and options of each codec: no look-ahead, no reordering, key frames when they are requested. The presets are
# those that leave most of the machine to the network.
LOW_LATENCY: Mapping[str, tuple[str | None, Mapping[str, str]]] = {
    "h264": ("superfast", {"tune": "zerolatency", "forced-idr": "1"}),
    "h265": ("ultrafast", {"tune": "zerolatency", "forced-idr": "1"}),
    "av1": ("11", {"svtav1-params": "pred-struct=1:lookahead=0"}),
    "ffv1": (None, {}),
}
# The codecs that MPEG-TS holds, and the bit depth up to which players decode them.
_PLAYABLE_DEPTH = {"h264": 8, "h265": 10}


def low_latency_encoding(encoding: Encoding, sink: LiveSink) -> Encoding:
    """Complete an encoding for low latency: sets codec, preset, and options that are missing.

    Raises:
        UnsupportedFormat: For a codec that the sink cannot hold.
    """
    chosen = encoding.resolved(sink.path.suffix.lower())
    preset, options = LOW_LATENCY[chosen.codec]
    if sink.format in ("mpegts", "hls") and chosen.codec not in _PLAYABLE_DEPTH:
        codecs = " and ".join(_PLAYABLE_DEPTH)
        raise UnsupportedFormat(f"MPEG-TS and HLS hold {codecs}; for {chosen.codec} write an .mkv file")
    return replace(chosen, preset=encoding.preset or preset, options=dict(options) | dict(encoding.options))


def playable_format(layout: FrameFormat, encoding: Encoding) -> FrameFormat:
    """Reduce a frame format to what players and browsers decode: 4:2:0, at most 8 bits in H.264 and 10 in H.265.

    Webcams often deliver 4:2:2, which most players do not decode.
    """
    chroma = layout.chroma if layout.rgb else (2, 2)
    return replace(layout, chroma=chroma, depth=min(layout.depth, _PLAYABLE_DEPTH[encoding.codec]))
