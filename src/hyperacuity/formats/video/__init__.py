"""Videos through PyAV (FFmpeg's libraries): reads what FFmpeg reads; writes MP4, QuickTime, Matroska, WebM and Y4M.

source         a file -> frames with time stamps (`VideoSource`)
timeline       time stamps as plain numbers: parts, order, durations; without FFmpeg
damage         what replaces damaged and missing frames; without FFmpeg
frames, hdr    FFmpeg's frames <-> planes; HDR metadata
codecs         the table of codecs: which formats and settings each takes
encoder        frames -> packets
packets        packets in a file of their own, until the video is complete
containers     the table of containers
copying        sound, subtitles, covers, chapters and tags: which of them a container takes, and under which names
muxing         all of these -> a file
verifying      the file read back and compared
y4m, folder    frames without a codec
patterns, deinterlacing, ffmpeg    names of frames; whole frames of fields; FFmpeg's peculiarities

Videos are read frame by frame and have sound and time stamps, so they do not implement `formats.Source`: the package
`hyperacuity.video` puts these modules together.
"""

from __future__ import annotations

import importlib.util

from hyperacuity.errors import MissingDependency

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".y4m")
ONLY_READ = (".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".flv", ".wmv", ".asf", ".3gp", ".ogv", ".mxf")
READS = "MP4, QuickTime, Matroska, WebM, AVI, MPEG, FLV, WMV, Ogg, MXF and Y4M videos"

# Brands of ISO files that are images.
_IMAGE_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"hevc", b"jxl ")
_MAGIC = (
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"YUV4MPEG2 "),
    (0, b"FLV\1"),
    (0, b"OggS"),
    (0, b"\0\0\1\xba"),  # MPEG program stream
    (0, b"\0\0\1\xb3"),  # MPEG video
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF, WMV
    (0, b"\x06\x0e\x2b\x34"),  # MXF
    (4, b"moov"),  # early QuickTime has no brand
    (4, b"mdat"),
    (4, b"wide"),
)


def accepts(head: bytes) -> bool:
    """Whether these first bytes of a file are those of a video."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _IMAGE_BRANDS
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    transport = any(len(head) > 4 * step and head[at::step][:4] == b"GGGG" for at, step in ((0, 188), (4, 192)))
    return transport or any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)


def require() -> None:
    """Check that PyAV is installed.

    Raises:
        MissingDependency: If it is not.
    """
    if importlib.util.find_spec("av") is None:
        raise MissingDependency("videos need PyAV: pip install 'hyperacuity[video]'")
