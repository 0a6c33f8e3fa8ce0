"""Which frames a video has and when they are shown, from its packets alone."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from hyperacuity.errors import HyperacuityWarning
from hyperacuity.formats.video.scanning import ends_stream
from hyperacuity.formats.video.timeline import WHOLE

if TYPE_CHECKING:
    from hyperacuity.formats.video.source import VideoSource


def index_frames(video: VideoSource) -> list[int] | str:
    """Find the pts of all frames by demuxing, if each part of the video can be decoded without what is before it.

    Args:
        video: The whole video.

    Returns:
        The pts in the order in which frames are shown; or a clause with the reason why they are known only by decoding
        from the beginning.

    Raises:
        DamagedFile: The video cannot be read at all.
    """
    if not video.is_container or video.has_fixed_rate:
        return "it has no time stamps"
    if video.deinterlace:
        return "its fields become frames"
    if video.part != WHOLE:
        return "only a part of it is requested"
    if not video.can_seek:
        return "its container stores no times of frames"
    if video.continuity.streams:
        return "its time stamps need corrections from the beginning on"
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", HyperacuityWarning)
        times = _packet_times(video)
    if isinstance(times, str):
        return times
    if found:
        return "it is damaged or cut short"
    shown = sorted(times)
    if len(set(shown)) != len(shown):
        return "some of its frames have the same time"
    if shown and (shown[0] != times[0] or shown[0] < video.start):
        return "it begins with frames that are not shown"
    middle = shown[len(shown) // 2] if shown else 0
    if shown and not video.leads_to(middle):
        return "reading cannot begin in its middle"
    return shown


def _packet_times(video: VideoSource) -> list[int] | str:
    times: list[int] = []
    for packet in video.read_packets():
        if packet.size == 0:
            if ends_stream(packet):
                continue
            return "some of its packets only repeat the frame before"
        if packet.pts is None:
            return "some of its packets have no time"
        if packet.is_corrupt or packet.is_discard:
            return "some of its packets are damaged or hidden"
        if not times and not packet.is_keyframe:
            return "it does not begin with a key frame"
        times.append(packet.pts)
    return times
