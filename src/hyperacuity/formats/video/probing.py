"""Which files are videos according to FFmpeg's own prober, and what FFmpeg may open when it reads one."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import av

# FFmpeg's demuxers of videos. Those that open further files or addresses (hls, dash, concat, sdp ...) are left out, and
# those of text, of single images and of sound alone.
CONTAINERS_READ = (
    *("matroska", "webm", "mov", "mp4", "avi", "mpegts", "mpeg", "flv", "live_flv", "kux", "asf", "asf_o", "ogg", "rm"),
    *("dv", "ivf", "nut", "mxf", "gxf", "yuv4mpegpipe", "wtv", "nuv", "nsv", "pva", "ty", "pmp", "lxf", "mlv", "dhav"),
    *("roq", "smk", "bink", "flic", "film_cpk", "rpl", "thp", "vivo", "4xm", "idcin", "wc3movie", "amv", "ea", "cine"),
    *("mv", "mvi", "mtv", "usm", "xmv", "vmd", "psxstr", "siff", "smjpeg", "cdxl", "moflex", "mods", "ifv", "ipmovie"),
    *("swf", "r3d", "imf_mxf", "hnm", "gdv", "jv", "bfi", "c93", "dxa", "dsicin", "sga", "tiertexseq", "yop", "ivr"),
)
# Video without a container. Other data may look like one of these, so a frame must be decodable, too.
RAW_READ = ("h264", "hevc", "vvc", "m4v", "mpegvideo", "obu", "av1", "vc1", "vc1test", "cavsvideo", "dirac", "dnxhd")
# A video is one local file, or a part of it ("subfile"): a playlist in disguise can name no other file and no address.
OPTIONS = {"protocol_whitelist": "file,subfile", "format_whitelist": ",".join((*CONTAINERS_READ, *RAW_READ))}
# How many packets of raw video may precede the first frame that can be decoded.
_PACKETS = 200


class _Unnamed(io.RawIOBase):
    """The bytes of a file without its name, whose ending the prober would trust."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def probe(data: Path | bytes) -> bool:
    """Whether FFmpeg recognises a file as a video that can be decoded.

    Args:
        data: The path of a file, or its bytes. The name of the file does not matter.
    """
    try:
        import av
    except ImportError:
        return False
    try:
        with (
            io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as file,
            av.open(_Unnamed(file), "r", options=OPTIONS) as container,
        ):
            return _decodable(container)
    except (OSError, ValueError, av.FFmpegError):
        return False


def _decodable(container: av.container.InputContainer) -> bool:
    """Whether a container has a video stream that can be decoded; of raw video, whether it has a frame."""
    import av

    streams = [stream for stream in container.streams.video if stream.codec_context is not None]
    if container.format.name not in RAW_READ or not streams:
        return bool(streams)
    for count, packet in enumerate(container.demux(streams[0])):
        with contextlib.suppress(av.FFmpegError):
            if packet.decode():
                return True
        if count == _PACKETS:
            break
    return False
