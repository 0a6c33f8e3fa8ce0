"""How a server is run: one frozen record, from a TOML file and the command line."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperacuity.errors import UsageError, describe_os_error, nearest

_GIGABYTE = 2**30
_OF_SOURCES = (
    "max_input_pixels",
    "max_output_pixels",
    "max_video_width",
    "max_video_height",
    "max_video_seconds",
    "max_frames",
)


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Addresses, limits and retention.

    Attributes:
        host, port: Where the server listens.
        data: The folder of uploads, results and the SQLite store.
        store: "sqlite" or postgresql://...
        workers: Processes that compute; 0 for none, when other servers of the same store have them.
        base_path: The path below which the server is reached, such as "/photos"; "" for none.
        trusted_proxy: The address of a proxy whose X-Forwarded-* headers are believed; "" for none.
        auth: Whether users must log in; required on any address other than loopback.
        max_upload_bytes: Of one file.
        max_input_pixels, max_output_pixels: Of an image, or of one frame of an animation.
        max_video_width, max_video_height, max_video_seconds: Of a video.
        max_frames: Of an animation.
        max_waiting_jobs, max_bytes: Of one user.
        min_free_share: The share of the disk that must stay free.
        upload_hours: After which an upload without a job is removed.
        result_days: After which an ended job and its files are removed.
        job_seconds: The longest time that one job may take.
        lease_seconds: After which a job without a sign of life is given to another worker.
        worker_jobs: After how many jobs a worker is replaced.
        worker_idle_seconds: After which an idle worker ends, to free its memory.
        worker_memory_bytes: The most address space of a worker; 0 for no limit.
        min_bytes_per_second: Slower bodies are ended, after their first `header_seconds`.
        header_seconds: The time for the headers of a request, for a body of JSON, and between two parts of a file.
        max_connections: Open at a time; more are answered with 503.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    data: Path = Path("hyperacuity-data")
    store: str = "sqlite"
    workers: int = 1
    base_path: str = ""
    trusted_proxy: str = ""
    auth: bool = False
    max_upload_bytes: int = 2 * _GIGABYTE
    max_input_pixels: int = 64_000_000
    max_output_pixels: int = 400_000_000
    max_video_width: int = 4096
    max_video_height: int = 2304
    max_video_seconds: float = 3 * 3600.0
    max_frames: int = 1000
    max_waiting_jobs: int = 100
    max_bytes: int = 20 * _GIGABYTE
    min_free_share: float = 0.1
    upload_hours: float = 24.0
    result_days: float = 7.0
    job_seconds: float = 12 * 3600.0
    lease_seconds: float = 30.0
    worker_jobs: int = 200
    worker_idle_seconds: float = 300.0
    worker_memory_bytes: int = 0
    min_bytes_per_second: int = 1000
    header_seconds: float = 10.0
    max_connections: int = 1200

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port {self.port}: give a number from 0 to 65535")
        if self.base_path and not (self.base_path.startswith("/") and not self.base_path.endswith("/")):
            raise UsageError(f"base_path {self.base_path!r}: it must begin with / and not end with it")
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
                raise UsageError(f"{name} is {value}: it cannot be negative")
        if not self.min_free_share < 1:
            raise UsageError(f"min_free_share is {self.min_free_share}: give a share below 1")

    def of_sources(self) -> dict[str, float]:
        """Return the limits of sources and results, which workers check before they decode (`limits`)."""
        return {name: getattr(self, name) for name in _OF_SOURCES}


def read_options(path: Path | None, changes: Mapping[str, Any] | None = None) -> ServerOptions:
    """Read options from a TOML file; `changes`, those of the command line, replace them.

    Raises:
        UsageError: The file cannot be read, or a key is unknown or of the wrong type.
    """
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"cannot read {path}: {describe_os_error(error)}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"cannot read {path}: {error}") from error
    fields = {field.name: field.default for field in dataclasses.fields(ServerOptions)}
    values = {name: _typed(str(path), name, value, fields) for name, value in table.items()}
    return ServerOptions(**(values | dict(changes or {})))


def _typed(path: str, name: str, value: Any, fields: Mapping[str, Any]) -> Any:
    if name not in fields:
        raise UsageError(f"{path}: unknown key {name!r}{nearest(name, fields)}")
    default = fields[name]
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise UsageError(f"{path}: {name} is {value!r}; a {type(default).__name__} such as {default!r} is expected")
    return value
