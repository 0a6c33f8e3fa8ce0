"""Films, by PyAV (FFmpeg's libraries): whatever FFmpeg reads; MP4, QuickTime, Matroska, WebM and Y4M are written.

frames       av.VideoFrame <-> planes
reading      bytes -> frames with their time stamps; what stands in for damaged ones
codecs       encoders: which pixel formats, options and containers go together
copying      what a file holds beside the film: which of it another takes, and under which names
writing      frames -> packets -> a file, with all of that

Films go frame by frame and keep what a picture has not (sound, time stamps), so they are no `Source` of images:
`hyperacuity.film` puts these pieces together.
"""

from __future__ import annotations

import importlib.util

from hyperacuity.errors import MissingDependency

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".y4m")
ONLY_READ = (".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".flv", ".wmv", ".asf", ".3gp", ".ogv", ".mxf")
READS = "MP4, QuickTime, Matroska, WebM, AVI, MPEG, FLV, WMV, Ogg, MXF and Y4M films"

# Brands of ISO files that are pictures.
_PICTURES = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"hevc", b"jxl ")
_MAGIC = (
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"YUV4MPEG2 "),
    (0, b"FLV\1"),
    (0, b"OggS"),
    (0, b"\0\0\1\xba"),  # MPEG program stream
    (0, b"\0\0\1\xb3"),  # MPEG video
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF, WMV
    (0, b"\x06\x0e\x2b\x34"),  # MXF
    (4, b"moov"),  # QuickTime of old has no brand
    (4, b"mdat"),
    (4, b"wide"),
)


def accepts(head: bytes) -> bool:
    """Whether these first bytes of a file are those of a film."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _PICTURES
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    transport = any(len(head) > 4 * step and head[at::step][:4] == b"GGGG" for at, step in ((0, 188), (4, 192)))
    return transport or any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)


def require() -> None:
    """Raises `MissingDependency` where PyAV is not installed."""
    if importlib.util.find_spec("av") is None:
        raise MissingDependency("films need PyAV: pip install 'hyperacuity[video]'")
