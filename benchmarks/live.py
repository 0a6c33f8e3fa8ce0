"""How long a frame takes from a camera to the viewer, and how many frames arrive.

    python benchmarks/live.py

A camera on loopback sends 480x270 at 25 frames a second, as MPEG-TS over HTTP; `hyperacuity live` makes it 960x540 and
sends that over TCP. Each frame carries its number in its pixels, so "glass to sink" is the time from the last byte of a
frame leaving the camera to its last byte reaching the consumer. It includes the network, FFmpeg's demuxer, which knows
the end of a frame of MPEG-TS only about two frames later, and everything between. "latency" is what the command
reports, from the arrival of a frame. "kept" is the share of the camera's frames that arrive, from the first to the last
of them. Writes results/live.csv.
"""

from __future__ import annotations

import bisect
import contextlib
import io
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np
import record

HEIGHT, WIDTH, RATE = 270, 480, 25
SECONDS = 15
MODELS = ("acute-50k", "acute-10k", "acute-3k", "auto", "bicubic")
BITS, CELL = 12, 16  # of the number in the first rows of a frame: how many bits, and pixels for each
TABLES = 3 * 188  # bytes that precede a frame and are sent with it


def camera() -> list[bytes]:
    """Returns the pieces of a stream, one for each frame: waves that move over some noise, and the number."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pieces: list[bytes] = []
    file, before = io.BytesIO(), 0
    with av.open(file, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream: Any = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.options = {"tune": "zerolatency", "preset": "veryfast", "crf": "20", "g": str(RATE)}
        for n in range((SECONDS + 10) * RATE):
            waves = 128 + 50 * np.sin((x + 3 * n) / 17) + 40 * np.cos((y - 2 * n) / 11 + x / 40)
            grey = np.clip(waves + random.normal(0, 3, waves.shape), 0, 255).astype(np.uint8)
            for bit in range(BITS):
                grey[:CELL, bit * CELL : (bit + 1) * CELL] = 235 * (n >> bit & 1)
            frame = av.VideoFrame.from_ndarray(grey, format="gray")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            pieces.append(file.getvalue()[before:])
            before = len(file.getvalue())
    return pieces


def serve(server: socket.socket, pieces: list[bytes], left: dict[int, float]) -> None:
    """Serve one connection, and note in `left` when each frame was sent."""
    connection, _ = server.accept()
    with connection, contextlib.suppress(OSError):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
        start = time.monotonic()
        for n, piece in enumerate(pieces):
            time.sleep(max(0.0, start + n / RATE - time.monotonic()))
            connection.sendall(piece)
            left[n] = time.monotonic()


def consume(server: socket.socket, came: list[tuple[int, float]], data: bytearray) -> None:
    """Receive one connection: all bytes, and how many had arrived at which time."""
    connection, _ = server.accept()
    with connection:
        while chunk := connection.recv(1 << 16):
            data += chunk
            came.append((len(data), time.monotonic()))


def number(luma: Any) -> int:
    """Returns the number in the luma of an enlarged frame."""
    middle = luma[CELL, CELL : 2 * CELL * BITS : 2 * CELL]
    return int(sum(1 << bit for bit, value in enumerate(middle) if value > 128))


def received(came: list[tuple[int, float]], data: bytes) -> dict[int, float]:
    """Returns the number of every frame that arrived, with the time of its last byte."""
    found = {}
    with av.open(io.BytesIO(data), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        ends = [packet.pos or 0 for packet in packets[1:]] + [len(data)]
        for packet, end in zip(packets, ends, strict=True):
            when = came[bisect.bisect_left(came, (end - TABLES, 0.0))][1]
            for frame in packet.decode():
                luma = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(frame.height, -1)
                found[number(luma)] = when
    return found


def measure(model: str, pieces: list[bytes]) -> dict[str, Any]:
    """Returns the row of one model."""
    left: dict[int, float] = {}
    came: list[tuple[int, float]] = []
    data = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as source, socket.create_server(("127.0.0.1", 0)) as sink:
        threads = [
            threading.Thread(target=serve, args=(source, pieces, left), daemon=True),
            threading.Thread(target=consume, args=(sink, came, data), daemon=True),
        ]
        for thread in threads:
            thread.start()
        urls = [f"{kind}://127.0.0.1:{each.getsockname()[1]}" for kind, each in (("http", source), ("tcp", sink))]
        command = ["live", urls[0], "-o", urls[1], "-n", model, "--duration", str(SECONDS), "--json"]
        result = subprocess.run(
            [sys.executable, "-m", "hyperacuity", *command], capture_output=True, text=True, check=True
        )
        threads[1].join()
    report = json.loads(result.stdout)
    got = received(came, bytes(data))
    glass = sorted(when - left[n] for n, when in got.items())
    return {
        "model": model,
        "frames_per_second": round((len(got) - 1) / (max(got.values()) - min(got.values())), 2),
        "kept": round(len(got) / (max(got) - min(got) + 1), 3),
        "late": report["late"],
        "latency_ms": round(1e3 * report["latency"], 1),
        "latency_95_ms": round(1e3 * report["latency_95"], 1),
        "glass_to_sink_ms": round(1e3 * statistics.median(glass), 1),
        "glass_to_sink_95_ms": round(1e3 * glass[int(0.95 * len(glass))], 1),
        "made_by": " ".join(f"{name}:{count}" for name, count in report["models"].items()),
    }


def main() -> None:
    pieces = camera()
    record.save("live", [measure(model, pieces) for model in MODELS])


if __name__ == "__main__":
    main()
