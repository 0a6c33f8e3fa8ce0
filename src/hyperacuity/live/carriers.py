"""What carries MPEG-TS to whoever takes it: datagrams, a connection, a pipe. Each can wait and each can be stopped.

FFmpeg could do it too, but nothing can interrupt it while it waits for a consumer that has gone.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from typing import Any, Protocol

from hyperacuity.live.addresses import Sink

# Seven packets of MPEG-TS, which fit into an Ethernet frame.
DATAGRAM = 7 * 188
_LOOK = 0.1


class File(Protocol):
    """What PyAV writes to. closed: that it shall not."""

    closed: bool

    def write(self, data: bytes) -> int: ...


class Carrier:
    """The carrier of sinks that FFmpeg opens itself, files and HLS.

    needed: whether `connect` must give a file. waiting: what is said while it has none.
    """

    needed = False
    waiting = ""

    def connect(self) -> File | None:
        """Something to write to; None where none is needed, or when it was stopped. Raises `OSError`."""
        return None

    def disconnect(self) -> None:
        """Let go of a connection that has failed; the next may come."""

    def close(self) -> None:
        """Let go of all."""
        self.disconnect()


def of(sink: Sink, stop: threading.Event, timeout: float) -> Carrier:
    if sink.kind == "pipe":
        return _Pipe(stop)
    if sink.kind == "udp":
        return _Udp(sink)
    return _Tcp(sink, stop, timeout) if sink.kind == "tcp" else Carrier()


class _Pipe(Carrier):
    """Standard output. Whoever reads it may be slow; that he is waited for can be stopped."""

    needed = True

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.closed = False

    def connect(self) -> File:
        return self

    def write(self, data: bytes) -> int:
        number = sys.stdout.fileno()
        rest = memoryview(data)
        while rest:
            if sys.platform == "win32":
                rest = rest[os.write(number, rest) :]
            elif select.select([], [number], [], _LOOK)[1]:
                # So much fits into a pipe that can be written to at all.
                rest = rest[os.write(number, rest[: select.PIPE_BUF]) :]
            elif self._stop.is_set():
                raise TimeoutError("nobody reads it")
        return len(data)


class _Udp(Carrier):
    """Datagrams; whether anybody takes them is not known."""

    needed = True

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._socket: socket.socket | None = None
        self._to: Any = None
        self.closed = False

    def connect(self) -> File:
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


class _Tcp(Carrier):
    """A connection to a consumer, or with `listen` from one after the other."""

    needed = True

    def __init__(self, sink: Sink, stop: threading.Event, timeout: float) -> None:
        self._sink, self._stop, self._timeout = sink, stop, timeout
        self._server: socket.socket | None = None
        self._socket: socket.socket | None = None
        self.closed = False
        self.waiting = f"waiting for a consumer at {sink.shown}" if sink.listen else ""

    def connect(self) -> File | None:
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
                    raise TimeoutError(f"took nothing for {self._timeout:g} s") from None
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


class Disk:
    """A file of an HLS folder. What goes wrong is put into `faults`: PyAV can hand on only one error at a time."""

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
        except OSError as error:  # network file systems say only now that they are full
            self._faults.append(error)
