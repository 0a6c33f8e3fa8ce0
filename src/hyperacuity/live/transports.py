"""Transports that carry MPEG-TS to a consumer: datagrams, a connection, a pipe. Each can be stopped while it waits.

FFmpeg's own transports cannot be interrupted while they wait for a consumer that has disappeared.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from typing import Any, Protocol

from hyperacuity.live.addresses import LiveSink
from hyperacuity.task import Stop

# Seven packets of MPEG-TS, the most that fit into an Ethernet frame, in bytes.
DATAGRAM = 7 * 188
# How often a waiting transport checks `stop`, in seconds.
_LOOK = 0.1


class ByteSink(Protocol):
    """A file object for PyAV to write to; `closed` says that PyAV must not write any more."""

    closed: bool

    def write(self, data: bytes) -> int: ...


class Transport:
    """The transport of sinks that FFmpeg opens itself: files and HLS.

    Attributes:
        needed: Whether `connect` must return a file.
        waiting: The state to show while `connect` waits.
    """

    needed = False
    waiting = ""

    def connect(self) -> ByteSink | None:
        """Returns the object to write to; None if FFmpeg opens the sink, or the run was stopped. Raises `OSError`."""
        return None

    def disconnect(self) -> None:
        """Close a connection that failed; another may follow."""

    def close(self) -> None:
        """Release everything."""
        self.disconnect()


def open_transport(sink: LiveSink, stop: Stop, timeout: float) -> Transport:
    """Returns the transport for a sink; `timeout` is how long a consumer may accept no data, in seconds."""
    if sink.kind == "pipe":
        return _PipeTransport(stop)
    if sink.kind == "udp":
        return _UdpTransport(sink)
    return _TcpTransport(sink, stop, timeout) if sink.kind == "tcp" else Transport()


class _PipeTransport(Transport):
    """Standard output; waiting for a slow reader can be stopped."""

    needed = True

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.closed = False

    def connect(self) -> ByteSink:
        return self

    def write(self, data: bytes) -> int:
        number = sys.stdout.fileno()
        rest = memoryview(data)
        while rest:
            if sys.platform == "win32":
                rest = rest[os.write(number, rest) :]
            elif select.select([], [number], [], _LOOK)[1]:
                # A pipe that is ready for writing has room for this much.
                rest = rest[os.write(number, rest[: select.PIPE_BUF]) :]
            elif self._stop.is_set():
                raise TimeoutError("standard output is not being read")
        return len(data)


class _UdpTransport(Transport):
    """UDP datagrams; nothing shows whether they are received."""

    needed = True

    def __init__(self, sink: LiveSink) -> None:
        self._sink = sink
        self._socket: socket.socket | None = None
        self._to: Any = None
        self.closed = False

    def connect(self) -> ByteSink:
        family, kind, protocol, _, self._to = socket.getaddrinfo(
            self._sink.host, self._sink.port, type=socket.SOCK_DGRAM
        )[0]
        self._socket, self.closed = socket.socket(family, kind, protocol), False
        if family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self._sink.ttl)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._sink.ttl)
        return self

    def write(self, data: bytes) -> int:
        assert self._socket is not None
        return self._socket.sendto(data, self._to)

    def disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _TcpTransport(Transport):
    """A TCP connection to a consumer, or, with `listen`, from one consumer after another."""

    needed = True

    def __init__(self, sink: LiveSink, stop: Stop, timeout: float) -> None:
        self._sink, self._stop, self._timeout = sink, stop, timeout
        self._server: socket.socket | None = None
        self._socket: socket.socket | None = None
        self.closed = False
        self.waiting = f"waiting for a consumer at {sink.shown}" if sink.listen else ""

    def connect(self) -> ByteSink | None:
        if not self._sink.listen:
            found = socket.create_connection((self._sink.host, self._sink.port), self._timeout)
        else:
            consumer = self._accept()
            if consumer is None:
                return None
            found = consumer
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.settimeout(_LOOK)
        self._socket, self.closed = found, False
        return self

    def _accept(self) -> socket.socket | None:
        if self._server is None:
            self._server = socket.create_server((self._sink.host, self._sink.port))
            self._server.settimeout(_LOOK)
        while not self._stop.is_set():
            try:
                return self._server.accept()[0]
            except TimeoutError:
                continue
        return None

    def write(self, data: bytes) -> int:
        assert self._socket is not None
        rest = memoryview(data)
        end = time.monotonic() + self._timeout
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError:
                if self._stop.is_set() or time.monotonic() > end:
                    raise TimeoutError(f"accepted no data for {self._timeout:g} s") from None
        return len(data)

    def disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        self.disconnect()
        if self._server is not None:
            self._server.close()
            self._server = None


class SegmentFile:
    """A file of an HLS folder. Errors are put into `faults`, since PyAV passes on only one at a time."""

    def __init__(self, path: str, faults: list[OSError]) -> None:
        self._file, self._faults = open(path, "wb", buffering=0), faults  # noqa: SIM115 - closed by `close`

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._faults.append(error)
        return len(data)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # network file systems report a full disk only now
            self._faults.append(error)
