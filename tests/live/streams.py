"""A camera and a consumer for tests, on loopback: MPEG-TS generated here, in real time, with faults on demand."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from tests.video.videos import moving_frames

RATE = 25


def transport(frames: int, height: int = 36, width: int = 48, *, sound: bool = False, start: int = 0) -> list[bytes]:
    """MPEG-TS of `count` frames at 25 a second, in pieces of one frame each; the first is a key frame.

    start: the number of the first frame, from which its time follows.
    """
    pieces: list[bytes] = []
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream: Any = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"tune": "zerolatency", "preset": "ultrafast", "g": "25"}
        audio: Any = container.add_stream("mp2", rate=48000) if sound else None
        heard = 0
        for n, picture in enumerate(moving_frames(frames, height, width), start):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            while audio and heard < (n - start + 1) * 1920:
                wave = (8000 * np.sin(np.arange(heard, heard + 1152) / 9)).astype(np.int16)
                chunk = av.AudioFrame.from_ndarray(np.stack([wave, wave], 1).reshape(1, -1), "s16", "stereo")
                chunk.sample_rate, chunk.pts, chunk.time_base = 48000, start * 1920 + heard, Fraction(1, 48000)
                container.mux(audio.encode(chunk))
                heard += 1152
            container.mux(stream.encode(frame))
            pieces.append(file.getvalue()[sum(map(len, pieces)) :])
        container.mux(stream.encode(None))
    pieces[-1] += file.getvalue()[sum(map(len, pieces)) :]
    return pieces


class Camera:
    """An HTTP server that sends pieces of MPEG-TS, one each 1/25 s, over and over; a connection is served once.

    cut: the number of pieces before it disconnects. stall: the number before it sends nothing more. length: the bytes
        it announces.
    Each connection takes the next of `faults`, such as {"cut": 20}; the last one applies to all later connections.
    """

    def __init__(self, pieces: list[bytes], *faults: dict[str, int], interval: float = 1 / RATE) -> None:
        self.pieces, self.faults, self.interval = pieces, faults or ({},), interval
        self.connections = 0
        self.open = 0
        self._stop = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.05)
        self._threads = [threading.Thread(target=self._accept)]
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/live.ts"
        self._threads[0].start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._server.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._server.accept()
                fault = self.faults[min(self.connections, len(self.faults) - 1)]
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection, fault))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, fault: dict[str, int]) -> None:
        self.open += 1
        with connection, contextlib.suppress(OSError):
            connection.settimeout(2)
            connection.recv(4096)
            length = f"Content-Length: {fault['length']}\r\n" if "length" in fault else ""
            connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n{length}\r\n".encode())
            start = time.monotonic()
            for n in range(fault.get("cut", 10**6)):
                if n >= fault.get("stall", 10**6):
                    while not self._stop.wait(0.05) and not _gone(connection):
                        pass
                    break
                if self._stop.wait(max(0.0, start + n * self.interval - time.monotonic())):
                    break
                connection.sendall(self.pieces[n % len(self.pieces)])
        self.open -= 1


def _gone(connection: socket.socket) -> bool:
    """Whether the other side has disconnected."""
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


class Consumer:
    """Receives data on a TCP or UDP port until the sender stops. `hang_up` cuts the connection."""

    def __init__(self, kind: str = "tcp", patience: float = 1.0) -> None:
        self._socket = socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        if kind == "tcp":
            self._socket.listen()
        else:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.port = self._socket.getsockname()[1]
        self.url = f"{kind}://127.0.0.1:{self.port}"
        self.received: list[bytes] = []
        self._kind, self._patience = kind, patience
        self._hang_up, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def hang_up(self) -> None:
        self._hang_up.set()

    def _take(self) -> None:
        self._socket.settimeout(0.05)
        if self._kind == "udp":
            self.received.append(b"")
            self._from(self._socket)
            return
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self._socket.accept()
                self.received.append(b"")
                with connection:
                    connection.settimeout(0.05)
                    self._from(connection)

    def _from(self, connection: socket.socket) -> None:
        while not (self._stop.is_set() or self._hang_up.is_set()):
            with contextlib.suppress(TimeoutError):
                data = connection.recv(1 << 16)
                if not data and self._kind == "tcp":
                    return
                self.received[-1] += data
        self._hang_up.clear()


def played(data: Any) -> tuple[list[Any], list[float], int]:
    """The frames of a stream (bytes, or a path) as RGB, their times in seconds from the first, packets of sound."""
    frames: list[Any] = []
    times: list[float] = []
    sounds = 0
    decoded: Any
    with av.open(io.BytesIO(data) if isinstance(data, bytes) else str(data), "r") as container:
        for packet in container.demux():
            sounds += packet.stream.type == "audio" and packet.size > 0
            if packet.stream.type == "video":
                for decoded in packet.decode():
                    frames.append(decoded.to_ndarray(format="rgb24"))
                    times.append(float(decoded.pts * decoded.time_base))
    return frames, [time - times[0] for time in times], sounds


def still_running() -> Iterator[str]:
    """The names of our running threads, except those of the pipeline's pool, which stay."""
    names = (thread.name for thread in threading.enumerate())
    return (name for name in names if name.startswith("hyperacuity") and not name.startswith("hyperacuity-pixels"))
