"""Videos through PyAV (FFmpeg's libraries): reads what FFmpeg reads; writes MP4, QuickTime, Matroska, WebM and Y4M.

probing        which files are videos; what FFmpeg may open
selecting      which stream of a file is the video
source         a file, opened (`VideoSource`)
reading        its packets -> frames with time stamps
scanning       the time stamps of a whole file
continuity     where a file's clock restarts or leaps; without FFmpeg, like the next six
appended       a second file behind the first
truncation     whether a file ends too early
transport      where MPEG transport streams were joined
corrections    time stamps as they are stored, and how they are corrected
timeline       time stamps as plain numbers: parts, order, durations, restarts
damage         what replaces damaged and missing frames
comparing      the times of a result and of its source
shapes         frames of another shape than the first
frames, hdr    FFmpeg's frames <-> planes; HDR metadata
side_data      what decoders say beside a frame, read safely
codecs         the table of codecs: which formats and settings each takes
encoder        frames -> packets
packets        packets in a file of their own, until the video is complete
containers     the table of containers
copying        sound, subtitles, covers, chapters and tags: which of them a container takes, and under which names
projection     360 degree videos, stereo 3D, the part of frames that is shown
dispositions   what streams are for, and which containers can say it
opening        the beginning of a result, and what its container cannot hold
muxing         all of these -> a file
matroska       what FFmpeg's muxer leaves out of Matroska
verifying      the file read back, and compared with what was muxed and with its source
y4m, folder    frames without a codec
patterns, deinterlacing, ffmpeg    names of frames; whole frames of fields; FFmpeg's peculiarities

Videos are read frame by frame and have sound and time stamps, so they do not implement `formats.Source`: the package
`hyperacuity.video` puts these modules together.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hyperacuity.errors import MissingDependency
from hyperacuity.formats.video import probing

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".y4m")
ONLY_READ = (
    *(".avi", ".divx", ".ts", ".m2ts", ".mts", ".m2t", ".mpg", ".mpeg", ".mpe", ".m2v", ".m1v", ".vob", ".flv", ".f4v"),
    *(".wmv", ".asf", ".3gp", ".3g2", ".ogv", ".ogm", ".mxf", ".gxf", ".rm", ".rmvb", ".dv", ".dif", ".ivf", ".nut"),
    *(".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".qt", ".wtv"),
)
READS = (
    "videos: MP4, QuickTime, Matroska, WebM, AVI, MPEG, FLV, WMV, Ogg, MXF, GXF, RealMedia, DV, IVF, NUT, Y4M, raw "
    "H.264 and H.265 and others"
)

# Brands of ISO files that are images.
_IMAGE_BRANDS = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"avif"),
    *(b"avis", b"avci", b"avcs", b"jxl ", b"jp2 ", b"jpx ", b"jpm ", b"j2ki", b"crx "),
)
# Signatures that decide quickly; the prober decides about all other files.
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


def accepts(head: bytes, data: Path | bytes) -> bool:
    """Whether a file that no image format accepts is a video.

    Args:
        head: Its first bytes.
        data: Its path, or all its bytes, for FFmpeg's prober.
    """
    if head[4:8] == b"ftyp":
        return head[8:12] not in _IMAGE_BRANDS
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return True
    if any(head[at : at + len(magic)] == magic for at, magic in _MAGIC):
        return True
    is_text = all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)
    return not is_text and probing.probe(data)


def require() -> None:
    """Check that PyAV is installed.

    Raises:
        MissingDependency: If it is not.
    """
    if importlib.util.find_spec("av") is None:
        raise MissingDependency("videos need PyAV: pip install 'hyperacuity[video]'")
