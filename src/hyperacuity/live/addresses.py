"""What people write for a source and a sink, and what FFmpeg is to be told about it."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from hyperacuity.errors import UnsupportedFormat, UsageError, nearest

PIPE = "-"
# What each kind of URL may open on its way, and nothing else: a playlist from a stranger cannot name local files.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,srtp,udp,tcp,tls",
    "http": "http,httpproxy,https,tls,tcp,crypto",
    "https": "http,httpproxy,https,tls,tcp,crypto",
    "udp": "udp",
    "rtp": "rtp,udp",
    "tcp": "tcp",
}
# FFmpeg's module for cameras on each system, and what it calls camera N.
_CAMERAS = {
    "linux": ("video4linux2", "/dev/video{}", "{}"),
    "darwin": ("avfoundation", "{}:none", "{}:none"),
    "win32": ("dshow", "", "video={}"),
}
FILES = {".ts": "mpegts", ".mkv": "matroska", ".mp4": "mp4", ".mov": "mov", ".webm": "webm"}
# Begin after three frames; FFmpeg would look at twenty to be sure of their rate.
_QUICK = {"fpsprobesize": "3", "analyzeduration": "1500000"}
_CAMERA = re.compile(r"camera(?::(?P<name>.+))?")


@dataclass(frozen=True)
class Capture:
    """What a camera is asked for; None leaves it to the camera. size: (height, width). rate: frames per second."""

    size: tuple[int, int] | None = None
    rate: str | None = None


@dataclass(frozen=True)
class Source:
    """Where frames come from. shown: its name without what is nobody's business. paced: it is no clock of its own."""

    kind: Literal["camera", "network", "pipe", "file"]
    url: str
    shown: str
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    paced: bool = False


@dataclass(frozen=True)
class Sink:
    """Where the result goes: `path` for files and HLS (its playlist), host and port for the network.

    lasting: whether it can be found again once it is lost.
    """

    kind: Literal["udp", "tcp", "pipe", "file", "hls"]
    shown: str
    format: str
    path: Path = Path()
    host: str = ""
    port: int = 0
    listen: bool = False
    ttl: int = 1

    @property
    def lasting(self) -> bool:
        return self.kind in ("udp", "tcp")


def source(text: str, capture: Capture = Capture(), options: Mapping[str, str] | None = None) -> Source:
    """What a person means by SOURCE: "-", a file, a camera ("/dev/video0", "camera:1") or a URL.

    options: more for FFmpeg. Raises `UsageError` for what is no source, or is not there.
    """
    further = dict(options or {})
    camera = _camera(text)
    if camera is not None:
        return _of_camera(text, camera, capture, further)
    if capture != Capture():
        raise UsageError("--capture-size and --capture-rate are for cameras: /dev/video0, camera:1")
    if text == PIPE:
        return Source("pipe", PIPE, "standard input", None, _local(further))
    parts = _url(text)
    if parts is None:
        return _of_path(Path(text), further)
    _check_scheme(parts, PROTOCOLS, "as a source")
    common = {"protocol_whitelist": PROTOCOLS[parts.scheme]} | _QUICK
    own = {
        # Over UDP frames are torn by the first packet that is lost; cameras speak both.
        "rtsp": {"rtsp_transport": "tcp"},
        "rtsps": {"rtsp_transport": "tcp"},
        "udp": {"fifo_size": "50000", "overrun_nonfatal": "1"},
    }.get(parts.scheme, {})
    return Source("network", text, shown(text), None, common | own | further)


def sink(text: str) -> Sink:
    """What a person means by SINK: "-", "udp://host:port", "tcp://host:port", a folder or playlist for HLS, a file.

    Raises `UsageError` for what is none.
    """
    if text == PIPE:
        return Sink("pipe", "standard output", "mpegts")
    parts = _url(text)
    if parts is not None:
        _check_scheme(parts, ("udp", "tcp"), "as a sink, beside files, folders and pipes")
        return _of_network(text, parts)
    path = Path(text)
    suffix = path.suffix.lower()
    if suffix == ".m3u8":
        return Sink("hls", text, "hls", path)
    if text.endswith(("/", "\\")) or path.is_dir() or not suffix:
        return Sink("hls", text, "hls", path / "index.m3u8")
    if suffix not in FILES:
        raise UnsupportedFormat(
            f"{text}: live video is written as {', '.join(FILES)}, or as HLS into a folder or as NAME.m3u8"
            + nearest(suffix, [*FILES, ".m3u8"])
        )
    return Sink("file", text, FILES[suffix], path)


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
        raise UsageError(f"{match[1]}://... is no URL: {error}") from error


def _check_scheme(parts: SplitResult, known: Mapping[str, str] | tuple[str, ...], role: str) -> None:
    if parts.scheme not in known:
        urls = ", ".join(f"{scheme}://" for scheme in known)
        raise UsageError(f"{parts.scheme}: is not taken {role}; there are {urls}{nearest(parts.scheme, known)}")
    if not parts.netloc:
        raise UsageError(f"{parts.scheme}: names no host: write {parts.scheme}://host:port")


def _of_network(text: str, parts: SplitResult) -> Sink:
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
    return Sink(
        kind, shown(text).partition("?")[0], "mpegts", host=parts.hostname or "", port=port, listen=listen, ttl=int(ttl)
    )


def _of_path(path: Path, further: dict[str, str]) -> Source:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        what = "no such camera is here" if str(path).startswith("/dev/") else "does not exist"
        raise UsageError(f"{path}: {what}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be opened: {error}") from error
    if stat.S_ISFIFO(mode):
        return Source("pipe", str(path), str(path), None, _local(further))
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'no source'}: name a camera, a URL, a file")
    return Source("file", str(path), str(path), None, _local(further), paced=True)


def _local(further: dict[str, str]) -> dict[str, str]:
    """What we read ourselves has no business opening anything else."""
    return {"protocol_whitelist": "none"} | _QUICK | further


def _camera(text: str) -> str | None:
    """The camera's number, name or device; None where it is none."""
    if sys.platform.startswith("linux") and text.startswith("/dev/"):
        path = Path(text)
        return text if path.name.startswith("video") or (path.exists() and stat.S_ISCHR(path.stat().st_mode)) else None
    match = _CAMERA.fullmatch(text)
    return None if match is None or Path(text).exists() else match["name"] or "0"


def _of_camera(text: str, name: str, capture: Capture, further: dict[str, str]) -> Source:
    module, numbered, named = _CAMERAS.get("linux" if sys.platform.startswith("linux") else sys.platform, ("", "", ""))
    if not module:
        raise UsageError(f"{text}: cameras are read on Linux, macOS and Windows; on {sys.platform} take a pipe (-)")
    if name.isdecimal() and not numbered:
        raise UsageError(f"{text}: on Windows a camera has a name: camera:NAME, as in the list of devices")
    url = (numbered if name.isdecimal() else named).format(name)
    if module == "video4linux2" and not Path(url).exists():
        there = sorted(str(path) for path in Path("/dev").glob("video*"))
        raise UsageError(f"{text}: no such camera is here; there is {', '.join(there) or 'none at all'}")
    options = {}
    if capture.size is not None:
        options["video_size"] = f"{capture.size[1]}x{capture.size[0]}"
    if capture.rate is not None:
        options["framerate"] = capture.rate
    elif module == "avfoundation":
        options["framerate"] = "30"  # its own default is one that many cameras do not have
    return Source("camera", url, text, module, options | further)
