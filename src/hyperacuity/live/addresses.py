"""Parses the addresses of sources and sinks, and sets FFmpeg's options for them."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from hyperacuity.errors import LEAVE_OUT, UnsupportedFormat, UsageError, Use, nearest

PIPE = "-"
# The only protocols that each kind of URL may open in turn: a hostile playlist cannot name local files.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,srtp,udp,tcp,tls",
    "http": "http,httpproxy,https,tls,tcp,crypto",
    "https": "http,httpproxy,https,tls,tcp,crypto",
    "udp": "udp",
    "rtp": "rtp,udp",
    "tcp": "tcp",
}
# FFmpeg's input device for cameras on each system; the names of camera number N and of a camera by name.
_CAMERAS = {
    "linux": ("video4linux2", "/dev/video{}", "{}"),
    "darwin": ("avfoundation", "{}:none", "{}:none"),
    "win32": ("dshow", "", "video={}"),
}
FILES = {".ts": "mpegts", ".mkv": "matroska", ".mp4": "mp4", ".mov": "mov", ".webm": "webm"}
# Start after three frames; by default FFmpeg looks at twenty to estimate their rate.
_QUICK = {"fpsprobesize": "3", "analyzeduration": "1500000"}
_CAMERA = re.compile(r"camera(?::(?P<name>.+))?")


@dataclass(frozen=True)
class CaptureOptions:
    """The requested mode of a camera; None leaves it to the camera. size: (height, width); rate: frames a second."""

    size: tuple[int, int] | None = None
    rate: str | None = None


@dataclass(frozen=True)
class LiveSource:
    """Where frames come from.

    Attributes:
        kind: What it is.
        url: The address that FFmpeg opens.
        shown: The address in messages, without passwords.
        format: FFmpeg's demuxer, or None to detect it.
        options: FFmpeg's options for it.
        paced: Whether frames can be read faster than they are shown, as from a file.
    """

    kind: Literal["camera", "network", "pipe", "file"]
    url: str
    shown: str
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    paced: bool = False


@dataclass(frozen=True)
class LiveSink:
    """Where the result goes: `path` for files and HLS (its playlist), host and port for the network."""

    kind: Literal["udp", "tcp", "pipe", "file", "hls"]
    shown: str
    format: str
    path: Path = Path()
    host: str = ""
    port: int = 0
    listen: bool = False
    ttl: int = 1

    @property
    def reconnects(self) -> bool:
        """Whether a lost connection is opened again."""
        return self.kind in ("udp", "tcp")


def source(
    text: str, capture: CaptureOptions = CaptureOptions(), options: Mapping[str, str] | None = None
) -> LiveSource:
    """Parse the address of a source.

    Args:
        text: "-" for standard input, a file, a camera ("/dev/video0", "camera:1") or a URL.
        capture: The requested mode of a camera.
        options: Further options for FFmpeg.

    Raises:
        UsageError: If it is not a valid source, or does not exist.

    Example:
        >>> source("rtsp://user:secret@camera/stream").shown
        'rtsp://camera/stream'
    """
    if not text:
        raise UsageError("the source is empty: give a camera, a URL or a file")
    further = dict(options or {})
    camera = _camera(text)
    if camera is not None:
        return _camera_source(text, camera, capture, further)
    if capture != CaptureOptions():
        raise UsageError(
            f"{shown(text)} is not a camera, such as /dev/video0 or camera:1",
            Use(capture_size=LEAVE_OUT, capture_rate=LEAVE_OUT),
        )
    if text == PIPE:
        return LiveSource("pipe", PIPE, "standard input", None, _local(further))
    parts = _url(text)
    if parts is None:
        return _path_source(Path(text), further)
    _check_scheme(parts, PROTOCOLS, "as a source")
    common = {"protocol_whitelist": PROTOCOLS[parts.scheme]} | _QUICK
    own = {
        # Over UDP a single lost packet damages frames; cameras offer both.
        "rtsp": {"rtsp_transport": "tcp"},
        "rtsps": {"rtsp_transport": "tcp"},
        "udp": {"fifo_size": "50000", "overrun_nonfatal": "1"},
    }.get(parts.scheme, {})
    return LiveSource("network", text, shown(text), None, common | own | further)


def sink(text: str) -> LiveSink:
    """Parse the address of a sink.

    Args:
        text: "-" for standard output, "udp://host:port", "tcp://host:port", "tcp://host:port?listen", a folder or an
            .m3u8 playlist for HLS, or a file.

    Raises:
        UsageError: If it is not a valid sink.

    Example:
        >>> sink("result.mkv").format
        'matroska'
    """
    if not text:
        raise UsageError("the output is empty: give a URL, a folder or a file")
    if text == PIPE:
        return LiveSink("pipe", "standard output", "mpegts")
    parts = _url(text)
    if parts is not None:
        _check_scheme(parts, ("udp", "tcp"), "as a sink; files, folders and pipes are")
        return _network_sink(text, parts)
    path = Path(text)
    suffix = path.suffix.lower()
    if suffix == ".m3u8":
        return LiveSink("hls", text, "hls", path)
    if text.endswith(("/", "\\")) or path.is_dir() or not suffix:
        return LiveSink("hls", text, "hls", path / "index.m3u8")
    if suffix not in FILES:
        raise UnsupportedFormat(
            f"{text}: live video is written as {', '.join(FILES)}, or as HLS into a folder or as NAME.m3u8"
            + nearest(suffix, [*FILES, ".m3u8"])
        )
    return LiveSink("file", text, FILES[suffix], path)


def shown(url: str) -> str:
    """A URL as it may be printed: without user, password, and the values after its question mark."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = "?..." if parts.query else ""
    return f"{parts.scheme}://{host}{parts.path}{query}"


def _url(text: str) -> SplitResult | None:
    """The parts of a URL; None for a path, with a drive's letter or without."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", text)
    if match is None or Path(text).exists():
        return None
    try:
        return urlsplit(text)
    except ValueError as error:
        raise UsageError(f"{match[1]}://... is not a valid URL: {error}") from error


def _check_scheme(parts: SplitResult, known: Mapping[str, str] | tuple[str, ...], role: str) -> None:
    if parts.scheme not in known:
        urls = ", ".join(f"{scheme}://" for scheme in known)
        raise UsageError(f"{parts.scheme}: is not possible {role}; there are {urls}{nearest(parts.scheme, known)}")
    if not parts.netloc:
        raise UsageError(f"{parts.scheme}: has no host: write {parts.scheme}://host:port")


def _network_sink(text: str, parts: SplitResult) -> LiveSink:
    try:
        port = parts.port
    except ValueError:
        port = None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    listen = parts.scheme == "tcp" and query.pop("listen", "0") in ("", "1")
    ttl = query.pop("ttl", "1") if parts.scheme == "udp" else "1"
    if not port or query or not ttl.isdecimal() or not 0 < int(ttl) < 256:
        raise UsageError(
            f"{shown(text)}: write udp://host:port (for multicast perhaps with ?ttl=4), tcp://host:port, or "
            "tcp://host:port?listen to wait for a consumer"
        )
    kind: Literal["udp", "tcp"] = "tcp" if parts.scheme == "tcp" else "udp"
    return LiveSink(
        kind, shown(text).partition("?")[0], "mpegts", host=parts.hostname or "", port=port, listen=listen, ttl=int(ttl)
    )


def _path_source(path: Path, further: dict[str, str]) -> LiveSource:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        what = "no such camera" if str(path).startswith("/dev/") else "does not exist"
        raise UsageError(f"{path}: {what}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be opened: {error}") from error
    if stat.S_ISFIFO(mode):
        return LiveSource("pipe", str(path), str(path), None, _local(further))
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'not a source'}: give a camera, a URL or a file"
        )
    return LiveSource("file", str(path), str(path), None, _local(further), paced=True)


def _local(further: dict[str, str]) -> dict[str, str]:
    """Options for input that we read ourselves: FFmpeg may open nothing else."""
    return {"protocol_whitelist": "none"} | _QUICK | further


def _camera(text: str) -> str | None:
    """The camera's number, name or device; None if `text` is not a camera."""
    if sys.platform.startswith("linux") and text.startswith("/dev/"):
        path = Path(text)
        return text if path.name.startswith("video") or (path.exists() and stat.S_ISCHR(path.stat().st_mode)) else None
    match = _CAMERA.fullmatch(text)
    return None if match is None or Path(text).exists() else match["name"] or "0"


def _camera_source(text: str, name: str, capture: CaptureOptions, further: dict[str, str]) -> LiveSource:
    module, numbered, named = _CAMERAS.get("linux" if sys.platform.startswith("linux") else sys.platform, ("", "", ""))
    if not module:
        raise UsageError(f"{text}: cameras are read on Linux, macOS and Windows; on {sys.platform} use a pipe (-)")
    if name.isdecimal() and not numbered:
        raise UsageError(f"{text}: on Windows a camera has a name: camera:NAME, as in the list of devices")
    url = (numbered if name.isdecimal() else named).format(name)
    if module == "video4linux2" and not Path(url).exists():
        there = sorted(str(path) for path in Path("/dev").glob("video*"))
        raise UsageError(f"{text}: no such camera; there is {', '.join(there) or 'none at all'}")
    options = {}
    if capture.size is not None:
        options["video_size"] = f"{capture.size[1]}x{capture.size[0]}"
    if capture.rate is not None:
        options["framerate"] = capture.rate
    elif module == "avfoundation":
        options["framerate"] = "30"  # FFmpeg's default rate is one that many cameras lack
    return LiveSource("camera", url, text, module, options | further)
