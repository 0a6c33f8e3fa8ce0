"""Videos as frames with time stamps, and as packets to be copied."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import secrets
import struct
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hyperacuity.errors import LEAVE_OUT, DamagedFile, UnsupportedFormat, UsageError, Use
from hyperacuity.formats import video
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video import probing
from hyperacuity.formats.video.corrections import Continuity
from hyperacuity.formats.video.cropping import read_cropping
from hyperacuity.formats.video.ffmpeg import error_text, ffmpeg_path
from hyperacuity.formats.video.frames import PlanarFrame, detect_format, has_alpha
from hyperacuity.formats.video.hdr import read_hdr, unwritable_metadata
from hyperacuity.formats.video.patterns import existing_frames, frame_numbers, is_pattern
from hyperacuity.formats.video.projection import read_projection
from hyperacuity.formats.video.reading import FrameReader
from hyperacuity.formats.video.scanning import FileTimes, frame_rate, lacks_display_order, scan
from hyperacuity.formats.video.selecting import choose_video, is_cover, marks_alpha, tagged_end
from hyperacuity.formats.video.shapes import FrameShape
from hyperacuity.formats.video.side_data import read_side_data
from hyperacuity.formats.video.timeline import WHOLE, Part, select

if TYPE_CHECKING:
    import av

# These codecs place chroma in the middle of its luma samples; all others next to the left ones.
CENTRED = ("mjpeg", "mpeg1video")
_PROGRESSIVE = (0, 1)  # FFmpeg's field orders: unknown, and progressive
_IDENTITY = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_FINGERPRINT_BYTES = 1 << 20


class VideoSource:
    """The first video of a file, frame by frame; can be iterated as often as needed, except if it is a pipe.

    Args:
        source: A file, a folder of frames such as "frames/%06d.png", or a stream of Y4M.
        part: The part to read.
        rate: Frames per second of a folder of frames; 25 if None.
        deinterlace: Make whole frames of fields.
        strict: Raise `DamagedFile` for a damaged frame instead of repeating the one before it.

    Attributes:
        frame_format: Of all frames; those of another shape are fitted into it.
        shape: Of the first frame.
        time_base: The unit of time stamps, in seconds.
        rate: Frames per second, about.
        aspect: Width of a pixel divided by its height; None if the video does not specify it.
        display_matrix: The nine numbers of the matrix that rotates or mirrors the frame when it is shown, or None.
        alpha: Whether its frames have alpha.
        hdr: HDR10's metadata, or None.
        projection: How it is seen in a headset, or None for an ordinary video.
        unwritable: Names of metadata that no result can hold.
        other_streams: The types of the file's other streams, such as "audio".
        promised_frames: How many frames there are according to the file; 0 if it does not say.
        tagged_end: When the video ends according to Matroska's tags, in seconds; 0 without them.
        can_seek: Whether reading can begin at a time.

    Raises:
        DamagedFile: If the file is broken.
        UnsupportedFormat: If it has no video.
        UsageError: If it cannot be read with these options.
        MissingDependency: Without PyAV.
    """

    def __init__(
        self,
        source: Path | IO[bytes],
        *,
        part: Part = WHOLE,
        rate: Fraction | None = None,
        deinterlace: bool = False,
        strict: bool = False,
    ) -> None:
        video.require()
        self.source, self.part, self.deinterlace, self.strict = source, part, deinterlace, strict
        self.name = str(source) if isinstance(source, Path) else "standard input"
        # Joined MPEG streams may number their streams anew.
        self._options = {**probing.OPTIONS, "merge_pmt_versions": "1"}
        self._demuxer: str | None = None  # None: FFmpeg detects it
        if not isinstance(source, Path):
            self._demuxer = "yuv4mpegpipe"
        elif is_pattern(source):
            self._demuxer = "image2"
            self._options = {
                "protocol_whitelist": "file",
                "framerate": str(rate or 25),
                "start_number": str(frame_numbers(source)[0]),
            }
        if rate is not None and self._demuxer != "image2":
            raise UsageError(
                f"{self.name} has its own time stamps; a frame rate is for frames in a folder, such as %06d.png",
                Use(fps=LEAVE_OUT),
            )
        self._pipe: av.container.InputContainer | None = None
        self._skipped = 0  # bytes at the beginning of the file that are not read
        container = self._open()
        stream = self._video(container)
        self._read_header(container, stream, rate)
        if self._demuxer == "yuv4mpegpipe":
            self._pipe = container
            first = _blank(stream)
        else:
            try:
                first = self._first(container, stream)
            except DamagedFile:
                if not self._skips_padding():
                    raise
                container.close()
                container = self._open()
                stream = self._video(container)
                first = self._first(container, stream)
                message = f"{self.name} is damaged: its index is off by {self._skipped} bytes, which was corrected"
                warnings.warn(LossWarning(message), stacklevel=2)
            container.close()
        self.display_matrix = display_matrix(first)
        self.hdr = read_hdr(first)
        self.projection = read_projection(first, self._cropping)
        self.unwritable = unwritable_metadata(first)
        self.frame_format = detect_format(first, centred=self.codec in CENTRED)
        self.shape = FrameShape(first.height, first.width, Fraction(self.aspect or 1))
        self.alpha = has_alpha(first)
        if marks_alpha(stream) and not self.alpha:
            message = f"{self.name}: its alpha is left out; there is none in its frames, or this FFmpeg lacks libvpx"
            warnings.warn(LossWarning(message), stacklevel=2)
        if not deinterlace and (first.interlaced_frame or stream.codec_context.field_order not in _PROGRESSIVE):
            raise UsageError(
                f"{self.name} is interlaced, and its fields can be made whole frames", Use(deinterlace=True)
            )

    def _read_header(
        self, container: av.container.InputContainer, stream: av.VideoStream, rate: Fraction | None
    ) -> None:
        """The properties of the video before a frame is decoded."""
        self.time_base = Fraction(stream.time_base or Fraction(1, 1000))
        self.rate = Fraction(rate or frame_rate(container, stream))
        self.aspect = stream.sample_aspect_ratio or None
        self.codec = stream.codec_context.name
        self.index = stream.index
        self.other_streams = sorted({each.type for each in container.streams if each != stream and not is_cover(each)})
        self._start = stream.start_time or 0
        self._format = container.format.name.split(",")[0]
        file = self.source if self.is_container and isinstance(self.source, Path) else None
        self._cropping = None if file is None else read_cropping(file, stream)
        self.can_seek = self._demuxer != "yuv4mpegpipe" and not lacks_display_order(container)
        numbered = isinstance(self.source, Path) and self._demuxer == "image2"
        self.promised_frames = len(frame_numbers(self.source)) if numbered else stream.frames  # type: ignore[arg-type]
        self._seconds = _seconds(container, stream)
        self.tagged_end = tagged_end(stream)

    @property
    def frames(self) -> int:
        """About how many frames there are; 0 if unknown."""
        known = len(self.times.shown) if self._is_scanned and "times" in self.__dict__ else self.promised_frames
        return self.part.count_frames(known or round((self._seconds or 0) * self.rate), self.rate)

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height are swapped when the video is shown."""
        return self.display_matrix is not None and self.display_matrix[0] == 0 == self.display_matrix[4]

    @property
    def is_container(self) -> bool:
        """Whether its file may hold sound and other streams."""
        return self._demuxer is None

    @property
    def has_fixed_rate(self) -> bool:
        """Whether it is Y4M, which has no time stamps."""
        return self._format == "yuv4mpegpipe"

    @functools.cached_property
    def times(self) -> FileTimes:
        """What the packets of its file, or of the part of it, say about time; reads the file at the first use."""
        part = None
        if not self._is_scanned and self.part != WHOLE:
            first, end = (
                None if each is None else each * self.time_base
                for each in self.part.bounds(self._start, self.time_base)
            )
            part = (first or Fraction(0), end)
        with self._open() as container:
            return scan(container, self.index, self.rate, part=part)

    @property
    def continuity(self) -> Continuity:
        """The corrections of the file's time stamps, if there is anything to correct."""
        return self.times.continuity if self._is_scanned else Continuity()

    @property
    def _is_scanned(self) -> bool:
        """Whether the time stamps of its file are read before the frames."""
        part_of_matroska = self._format == "matroska" and self.part != WHOLE
        return self.is_container and self._format != "mov" and not (self.has_fixed_rate or part_of_matroska)

    @property
    def start(self) -> int:
        """When the video begins, in units of the time base."""
        return self.times.shown[0] if self._is_scanned and self.times.shown else self._start

    def reopen(self) -> av.container.InputContainer:
        """Returns its file, opened again, for the caller to close."""
        return self._open()

    def read_packets(self) -> Iterator[av.Packet[Any]]:
        """Yields its packets with corrected time stamps, without decoding them; warns of what is damaged or missing."""
        with self._open() as container:
            yield from FrameReader(self, container, self._video(container)).packets()

    def leads_to(self, first: int) -> bool:
        """Returns whether reading can begin at the key frame before the frame at `first`, a pts."""
        with self._open() as container:
            return _seek(first, container, self._video(container))

    def identity(self) -> list[Any]:
        """Returns an identifier of its source without reading all of it; each pipe is unique."""
        if not isinstance(self.source, Path):
            return [secrets.token_hex()]
        if self._demuxer == "image2":
            return [_fingerprint(path) for path in existing_frames(self.source).values()]
        return self.fingerprint(self.source)

    @staticmethod
    def fingerprint(path: Path) -> list[Any]:
        """Returns an identifier of a file without reading all of it."""
        return [_fingerprint(path)]

    def _open(self) -> av.container.InputContainer:
        import av

        if self._pipe is not None:
            return self._pipe
        try:
            file = self.source
            name = ffmpeg_path(file, pattern=self._demuxer == "image2") if isinstance(file, Path) else file
            if self._skipped:
                name = f"subfile,,start,{self._skipped},end,0,,:{name}"
            container = av.open(name, "r", format=self._demuxer, options=self._options)
        except FileNotFoundError as error:
            raise UsageError(f"{self.name} does not exist") from error
        except PermissionError as error:
            raise UsageError(f"{self.name} may not be read; check its permissions") from error
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, av.ArgumentError):  # not in `probing.OPTIONS`
                raise UnsupportedFormat(f"{self.name} is not a video; what is read: {video.READS}") from error
            raise DamagedFile(f"{self.name} is damaged or cut short: {error_text(error)}") from error
        return container

    def _video(self, container: av.container.InputContainer) -> av.VideoStream:
        stream = choose_video(container)
        if stream is None:
            raise UnsupportedFormat(f"{self.name} has no video stream; it may hold only sound")
        if stream.codec_context is None:
            raise UnsupportedFormat(f"{self.name}: its video codec is unknown")
        stream.thread_type = "SLICE"  # with frame threads, an error could not be attributed to its packet
        return stream

    def decoder(self, stream: av.VideoStream) -> Any:
        """Returns the decoder of its stream: libvpx for VP8 and VP9 with alpha, which FFmpeg's own decoders ignore."""
        import av

        own = stream.codec_context
        if marks_alpha(stream) and own.name in ("vp8", "vp9"):
            with contextlib.suppress(ValueError):  # this FFmpeg lacks it
                decoder = av.CodecContext.create({"vp8": "libvpx", "vp9": "libvpx-vp9"}[own.name], "r")
                decoder.extradata = own.extradata
                return decoder
        return own

    def _skips_padding(self) -> bool:
        """Skip padding that was put before an MP4 without a correction of its index; returns whether there is any."""
        if not (isinstance(self.source, Path) and self._demuxer is None):
            return False
        with self.source.open("rb") as file:
            size, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
            file.seek(size)
            found = kind in (b"free", b"skip", b"wide") and file.read(8)[4:] == b"ftyp"
        self._skipped = size if found else 0
        return found

    def _first(self, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
        import av

        packets, decoder = container.demux(stream), self.decoder(stream)
        while True:
            try:
                for frame in decoder.decode(next(packets)):
                    first: av.VideoFrame = frame
                    return first
            except StopIteration:
                raise DamagedFile(f"{self.name}: none of its frames can be decoded") from None
            except av.FFmpegError:
                continue  # counted when the frames are read

    def __iter__(self) -> Iterator[PlanarFrame]:
        """Yields the frames in the order they are shown, each later than the one before."""
        import av

        container = self._open()
        reader: FrameReader | None = None
        try:
            stream = self._video(container)
            first, end = self.part.bounds(self.start, self.time_base)
            # Corrections count packets from the beginning.
            can_seek = self.can_seek and not self.continuity.streams
            if self.part.start and can_seek and not _seek(first, container, stream):
                container.close()
                container = self._open()
                stream = self._video(container)
            empty = True
            reader = FrameReader(self, container, stream)
            for frame in select(reader.frames(), first, end):
                empty = False
                yield frame
            if empty:
                raise UsageError(f"{self.name} has no frame after {float(self.part.start):g} s")
        except av.FFmpegError as error:
            raise DamagedFile(f"{self.name}: {error_text(error)}") from error
        finally:
            if self._pipe is None:
                container.close()
            if reader is not None:
                reader.warn()


def _blank(stream: av.VideoStream) -> av.VideoFrame:
    """A placeholder with the format of a pipe's frames: reading a real one would consume it."""
    import av

    frame = av.VideoFrame(stream.width, stream.height, stream.pix_fmt or "yuv420p")
    frame.color_range = stream.color_range
    return frame


def _seek(first: int, container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Seek to the last key frame before `first`; returns False if that fails, as it often does in MPEG streams."""
    import av

    try:
        container.seek(first, stream=stream)
        key = next((packet for packet in container.demux(stream) if packet.is_keyframe), None)
        if key is None or key.pts is None or key.pts > first:
            return False
        container.seek(first, stream=stream)
    except av.FFmpegError:
        return False
    return True


def _fingerprint(path: Path) -> dict[str, Any]:
    """Identifies a file without reading all of it: size, time, first and last MiB."""
    status = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_FINGERPRINT_BYTES))
        file.seek(max(0, status.st_size - _FINGERPRINT_BYTES))
        digest.update(file.read(_FINGERPRINT_BYTES))
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "sha256": digest.hexdigest()}


def _seconds(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return None if container.duration is None else Fraction(container.duration, 1_000_000)


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Returns the nine numbers of FFmpeg's display matrix of a frame; None if it changes nothing."""
    found = read_side_data(frame).get("DISPLAYMATRIX")
    numbers = struct.unpack("=9i", bytes(memoryview(found))) if found is not None else None
    return None if numbers == _IDENTITY else numbers
