"""What a file says a stream is for, such as a commentary, and which containers can say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

_MATROSKA = {"default", "dub", "original", "comment", "forced", "hearing_impaired", "visual_impaired"}
_MP4 = {"default", "dub", "comment", "forced", "hearing_impaired", "visual_impaired", "captions", "descriptions"}
# What FFmpeg's muxers write.
_HELD = {"matroska": _MATROSKA, "mp4": _MP4, "webm": {"default", "forced"}, "mov": {"default"}}
# MP4 has one word for both.
_SAME = {"captions": "hearing_impaired", "descriptions": "visual_impaired"}
# Properties that follow from the stream itself.
_STRUCTURE = {"attached_pic", "timed_thumbnails", "still_image", "dependent", "default"}


def lost_dispositions(stream: av.stream.Stream, kind: str) -> list[str]:
    """Returns a clause that names what a stream is for, if the container `kind` cannot say it.

    Args:
        stream: Of the source.
        kind: The container of the result.
    """
    import av

    said = [flag.name for flag in av.stream.Disposition if flag & stream.disposition and flag.name]
    lost = [name for name in said if name not in _HELD[kind] | _STRUCTURE and _SAME.get(name) not in said]
    if not lost:
        return []
    cure = "; Matroska (.mkv) holds it" if _MATROSKA.issuperset(lost) else ""
    return [f"that stream {stream.index} ({stream.type}) is marked {', '.join(lost)} is left out{cure}"]
