"""How the frames of a video are to be seen: as a projection (360 degrees), as both eyes' views, and which part of them.

A decoder hands the first two on with each frame, but no encoder takes them; muxers write all three from the parameters
of a stream, which PyAV copies from a template. So a template is made: a small MP4 in memory with these boxes in it.

Source: "Spherical Video V2 RFC", https://github.com/google/spatial-media; FFmpeg's spherical.h and stereo3d.h.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hyperacuity.formats.video.cropping import Cropping
from hyperacuity.formats.video.ffmpeg import keep_thread_priority
from hyperacuity.formats.video.side_data import read_side_data

if TYPE_CHECKING:
    import av

    from hyperacuity.formats.video.encoder import EncoderTarget

# FFmpeg's numbers of projections.
_EQUIRECTANGULAR, _CUBE, _EQUIRECTANGULAR_TILE = 0, 1, 2
# FFmpeg's numbers of arrangements of both views: the names of Matroska, upright and with the views swapped.
_STEREO_MODES = {
    1: ("left_right", "right_left"),
    2: ("top_bottom", "bottom_top"),
    3: ("block_lr", "block_rl"),
    4: ("checkerboard_lr", "checkerboard_rl"),
    6: ("row_interleaved_lr", "row_interleaved_rl"),
    7: ("col_interleaved_lr", "col_interleaved_rl"),
}
# Arrangements of two views beside and above one another, also in columns and rows of pixels.
_BESIDE, _ABOVE = (1, 7), (2, 6)
# MP4 has only these, not swapped.
_ISO_STEREO = {1: 2, 2: 1}
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@dataclass(frozen=True)
class Projection:
    """How frames map to what is seen.

    Attributes:
        sphere: FFmpeg's number of the projection, its three angles, its four bounds and its padding in pixels; None if
            the video is flat.
        stereo: FFmpeg's number of the arrangement of both eyes' views, and its flags (1: swapped); None if there is one
            view.
        cropping: What of the frames is hidden; None if nothing is.
    """

    sphere: tuple[int, ...] | None = None
    stereo: tuple[int, int] | None = None
    cropping: Cropping | None = None

    def scaled(self, across: float, down: float) -> Projection:
        """Return the projection of the video enlarged by two factors: padding and cropping are measured in pixels."""
        sphere = self.sphere and (*self.sphere[:-1], round(self.sphere[-1] * across))
        return replace(self, sphere=sphere, cropping=self.cropping and self.cropping.scaled(across, down))

    @property
    def stereo_mode(self) -> str | None:
        """Matroska's name of the arrangement of both views; None without one."""
        if self.stereo is None or self.stereo[0] not in _STEREO_MODES:
            return None
        return _STEREO_MODES[self.stereo[0]][self.stereo[1] & 1]

    @property
    def views(self) -> tuple[int, int]:
        """How many views lie (beside, above) one another; Matroska states the size of one of them.

        Source: RFC 9559, sections 5.1.4.1.28.3 (the arrangements) and 18.10 (their sizes).
        """
        arrangement = 0 if self.stereo is None else self.stereo[0]
        return (2 if arrangement in _BESIDE else 1), (2 if arrangement in _ABOVE else 1)

    def parts(self) -> list[str]:
        """Return the names of what there is."""
        names = {"projection (360 degrees)": self.sphere, "stereo 3D": self.stereo, "cropping": self.cropping}
        return [name for name, part in names.items() if part is not None]

    def losses(self, kind: str) -> list[str]:
        """Return a clause for each part that a container cannot hold."""
        lost = []
        if self.sphere is not None and (kind == "mov" or self.sphere[0] > _EQUIRECTANGULAR_TILE):
            cure = "; .mp4 and .mkv hold it" if kind == "mov" else ""
            lost.append(f"its projection (360 degrees) is left out{cure}")
        if self.stereo is not None and self.stereo[0]:
            iso = kind == "mp4" and self.stereo[0] in _ISO_STEREO and not self.stereo[1] & 1
            if not (iso or (kind in ("matroska", "webm") and self.stereo_mode)):
                lost.append("that it holds the views of both eyes (stereo 3D) is left out; .mkv holds it")
        return lost

    def boxes(self) -> bytes:
        """Return what MP4 has of it inside a sample entry."""
        made = b""
        if self.stereo is not None and self.stereo[0] in _ISO_STEREO and not self.stereo[1] & 1:
            made += _full_box(b"st3d", bytes([_ISO_STEREO[self.stereo[0]]]))
        if self.sphere is not None and self.sphere[0] <= _EQUIRECTANGULAR_TILE:
            number, *angles = self.sphere[:4]
            left, top, right, bottom, padding = self.sphere[4:]
            if number == _CUBE:
                shape = _full_box(b"cbmp", struct.pack(">2I", 0, padding))
            else:
                shape = _full_box(b"equi", struct.pack(">4I", top, bottom, left, right))
            head = _full_box(b"prhd", struct.pack(">3i", *angles))
            made += _box(b"sv3d", _full_box(b"svhd", b"\0"), _box(b"proj", head, shape))
        return made


def read_projection(frame: av.VideoFrame, cropping: Cropping | None = None) -> Projection | None:
    """Return the projection in a frame's side data; None if it is an ordinary flat video.

    Args:
        frame: The first of the video.
        cropping: What the file hides of its frames.
    """
    blocks = read_side_data(frame)
    sphere, stereo = blocks.get("SPHERICAL"), blocks.get("STEREO3D")
    found = Projection(cropping=cropping)
    if sphere is not None:
        found = replace(found, sphere=struct.unpack_from("=4i5I", bytes(sphere)))
    if stereo is not None:
        arrangement, flags = struct.unpack_from("=2i", bytes(stereo))
        found = replace(found, stereo=(arrangement, flags) if arrangement else None)
    return None if found == Projection() else found


def add_template_stream(
    target: av.container.OutputContainer, encoder: EncoderTarget, projection: Projection
) -> av.VideoStream:
    """Add a stream for the packets of an encoder, with a projection.

    Args:
        target: The file being written.
        encoder: Of the packets.
        projection: What the stream's parameters are to hold.
    """
    import av

    file = _KeptOpen()
    with av.open(file, "w", format="mp4", container_options={"movflags": "+empty_moov"}) as header:
        stream: Any = header.add_stream(encoder.codec.encoder, rate=encoder.rate)
        encoder.configure(stream.codec_context)
        with keep_thread_priority():
            header.start_encoding()
        parameters = stream.codec_context.extradata
        file.closed_by_us = True
    shape = encoder.frame_format
    aperture = b"" if projection.cropping is None else projection.cropping.aperture(shape.width, shape.height)
    described = io.BytesIO(_with_boxes(file.getvalue(), projection.boxes() + aperture))
    with av.open(described, "r", format="mp4") as container:
        template = container.streams.video[0]
        new: av.VideoStream = target.add_stream_from_template(template, opaque=True)
    context: Any = new.codec_context
    context.extradata = parameters  # the encoder's own form, which fits its packets
    encoder.describe(context)
    return new


class _KeptOpen(io.BytesIO):
    """Bytes that PyAV takes for a closed file once the header is written, so that it adds nothing."""

    closed_by_us = False

    @property
    def closed(self) -> bool:
        return self.closed_by_us


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full_box(kind: bytes, content: bytes) -> bytes:
    """A box with version 0 and no flags."""
    return _box(kind, bytes(4), content)


def _with_boxes(file: bytes, boxes: bytes) -> bytes:
    """An MP4 header with further boxes at the end of its first sample entry."""
    path = _path_to_entry(file, 0, len(file))
    end = path[-1] + struct.unpack_from(">I", file, path[-1])[0]
    changed = bytearray(file)
    for at in path:
        size = struct.unpack_from(">I", file, at)[0]
        struct.pack_into(">I", changed, at, size + len(boxes))
    changed[end:end] = boxes
    return bytes(changed)


def _path_to_entry(file: bytes, at: int, end: int) -> list[int]:
    """Where the first sample entry begins, after the boxes around it."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", file, at)
        if kind == b"stsd":
            return [at, at + 16]
        if kind in _PARENTS and (inner := _path_to_entry(file, at + 8, at + size)):
            return [at, *inner]
        at += max(size, 8)
    return []
