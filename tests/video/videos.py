"""Videos made for tests, small and with known contents."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def moving_frames(count: int, height: int = 36, width: int = 48) -> list[NDArray[np.uint8]]:
    """RGB frames in which something moves."""
    y, x = np.mgrid[0:height, 0:width]
    return [
        np.stack([(x * 4 + 9 * n) % 256, (y * 6) % 256, (x * y + 5 * n) % 256], -1).astype(np.uint8)
        for n in range(count)
    ]


def make(
    path: Path,
    frames: list[NDArray[np.uint8]],
    *,
    times: list[int] | None = None,
    codec: str = "ffv1",
    pixels: str = "yuv420p",
    sounds: int = 0,
    subtitles: int = 0,
    title: str = "",
    described: bool = False,
) -> Path:
    """Write a video.

    times: of each frame, in milliseconds; 25 fps if None. sounds, subtitles: numbers of tracks. described: with pixels
    of 4:3, in the colours of BT.2020.
    """
    with av.open(str(path), "w") as container:
        if title:
            container.metadata["title"] = title
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if described:
            context = stream.codec_context
            context.sample_aspect_ratio = Fraction(4, 3)
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 14, 9, 1
        audio: list[Any] = [
            container.add_stream("pcm_s16le" if path.suffix == ".mkv" else "aac", rate=8000) for _ in range(sounds)
        ]
        opened = [av.open(str(_spoken(path.with_name(f"{n}.srt")))) for n in range(subtitles)]
        texts = [container.add_stream_from_template(each.streams[0]) for each in opened]
        for n, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (times[n] if times else 40 * n), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for track, sound in enumerate(audio):
            wave = (8000 * np.sin(np.arange(320 * len(frames)) * (track + 1) / 9)).astype(np.int16)
            for start in range(0, len(wave), 320):
                chunk = av.AudioFrame.from_ndarray(wave[None, start : start + 320], format="s16", layout="mono")
                chunk.sample_rate, chunk.pts, chunk.time_base = 8000, start, Fraction(1, 8000)
                container.mux(sound.encode(chunk))
            container.mux(sound.encode(None))
        for each, text in zip(opened, texts, strict=True):
            for packet in each.demux():
                if packet.size:
                    packet.stream = text
                    container.mux(packet)
            each.close()
            Path(each.name).unlink()
    return path


def _spoken(path: Path) -> Path:
    path.write_text("1\n00:00:00,040 --> 00:00:00,200\nWho is there?\n\n2\n00:00:00,240 --> 00:00:00,400\nNobody.\n")
    return path


def contents(path: Path) -> tuple[list[NDArray[Any]], list[Fraction]]:
    """All frames as RGB, and their times in seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [_time(frame) for frame in frames]


def packets(path: Path, kind: str) -> list[list[tuple[Fraction, bytes]]]:
    """Of each stream of a kind, the time and the bytes of all packets."""
    with av.open(str(path)) as container:
        indices = [stream.index for stream in container.streams if stream.type == kind]
    found = []
    for index in indices:
        with av.open(str(path)) as container:
            each = [packet for packet in container.demux(container.streams[index]) if packet.size]
            found.append([(_time(packet), bytes(packet)) for packet in each])
    return found


def _time(one: Any) -> Fraction:
    """In seconds."""
    return Fraction(one.pts * one.time_base)
