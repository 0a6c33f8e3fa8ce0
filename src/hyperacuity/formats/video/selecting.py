"""Which stream of a file is the video, and which ones accompany it: covers, thumbnails, further videos."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av


def is_cover(stream: av.stream.Stream) -> bool:
    """Whether a stream is a cover: one image, without a time."""
    import av

    kinds = av.stream.Disposition
    return bool(stream.disposition & kinds.attached_pic) and not is_thumbnails(stream)


def is_thumbnails(stream: av.stream.Stream) -> bool:
    """Whether a stream holds small images of other moments of the video, such as those of chapters."""
    import av

    return bool(stream.disposition & av.stream.Disposition.timed_thumbnails)


def choose_video(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the main video of a container: the default one, otherwise the largest and longest.

    Covers and thumbnails are never chosen; a stream of one frame (a thumbnail that is not marked as one) or without a
    decoder only if there is no other.

    Args:
        container: The file.

    Returns:
        The stream, which may lack a decoder; None if there is no video.
    """
    import av

    videos = [stream for stream in container.streams.video if not (is_cover(stream) or is_thumbnails(stream))]

    def rank(stream: av.VideoStream) -> tuple[bool, bool, bool, Fraction]:
        decoded = stream.codec_context is not None
        area = stream.codec_context.width * stream.codec_context.height if decoded else 0
        default = bool(stream.disposition & av.stream.Disposition.default)
        return decoded, not _is_still(stream), default, area * _seconds(container, stream)

    return max(videos, key=rank, default=None)  # the first of equals


def _is_still(stream: av.VideoStream) -> bool:
    """Whether a stream is known to have one frame."""
    import av

    return stream.frames == 1 or bool(stream.disposition & av.stream.Disposition.still_image)


def marks_alpha(stream: av.VideoStream) -> bool:
    """Whether Matroska marks a stream as having alpha, which VP8 and VP9 hold in a second image beside each frame."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())


def tagged_end(stream: av.VideoStream) -> Fraction:
    """When a stream ends according to Matroska's tags, in seconds; 0 without them."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    return 3600 * Fraction(match[1]) + 60 * Fraction(match[2]) + Fraction(match[3]) if match else Fraction(0)


def _seconds(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction:
    """The duration of a stream, or of the container if only that is known; 1 if neither is."""
    if stream.duration is not None and stream.time_base is not None:
        return Fraction(stream.duration * stream.time_base)
    if tagged_end(stream):
        return tagged_end(stream)
    return Fraction(container.duration, 1_000_000) if container.duration else Fraction(1)
