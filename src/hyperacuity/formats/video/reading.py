"""Videos as frames with time stamps, and as packets to be copied."""

from __future__ import annotations

import hashlib
import heapq
import os
import re
import secrets
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hyperacuity.errors import DamagedFile, UnsupportedFormat, UsageError
from hyperacuity.formats import video
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.frames import Frame, from_av, has_alpha, layout, screen, unsaid

if TYPE_CHECKING:
    import av

# A frame folder is named by a pattern such as "frames/%06d.png".
_COUNTER = re.compile(r"%(0\d+)?d")
# What stands before each frame of Y4M, unless it says more; and how long its first line may be.
_FRAME, _LINE = b"FRAME\n", 1 << 12
# These lay chroma in the middle of its luma samples; all others beside the left ones.
CENTRED = ("mjpeg", "mpeg1video")
# A video that ends so many seconds before its tags say has lost something.
_EARLY = Fraction(1, 2)
_PROGRESSIVE = (0, 1)  # not said, and said to be so


@dataclass(frozen=True)
class Part:
    """What is taken of a video: seconds from its beginning, and how many seconds; None = to the end."""

    start: Fraction = Fraction(0)
    duration: Fraction | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or (self.duration is not None and self.duration <= 0):
            raise UsageError("--start must not be negative, and --duration must be positive")


WHOLE = Part()


class VideoSource:
    """The first video of a file, frame by frame; can be read as often as it is asked for, unless it is a pipe.

    source: a file, a frame folder such as "frames/%06d.png", or a stream of Y4M. rate: frames per second of a frame
    folder. deinterlace: make whole pictures of fields (bwdif). strict: raise `DamagedFile` for a damaged frame instead
    of putting the one before in its place.

    `layout`, `time_base`, `aspect` (of a pixel; None = not said), `matrix` (nine numbers of the display matrix that
    turns or mirrors the picture, or None), `screen` (HDR10's, or None) say what the video is; `unsaid` names what it
    says beside that.

    Raises `DamagedFile`, `UnsupportedFormat` for files without video, `UsageError`, `MissingDependency`.
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
        import av

        self.source, self.part, self.deinterlace, self.strict = source, part, deinterlace, strict
        self.name = str(source) if isinstance(source, Path) else "standard input"
        self._interlaced = self._resized = 0
        self._options: dict[str, str] = {}
        self._format: str | None = None
        if not isinstance(source, Path):
            self._format = "yuv4mpegpipe"
        elif is_pattern(source):
            self._format = "image2"
            self._options = {"framerate": str(rate or 25), "start_number": str(_numbers(source)[0])}
        if rate is not None and self._format != "image2":
            raise UsageError(f"{self.name} has times of its own: --fps is for frames in a folder, such as %06d.png")
        self._pipe: av.container.InputContainer | None = None
        container = self._open()
        stream = self._video(container)
        self.time_base = Fraction(stream.time_base or Fraction(1, 1000))
        self.rate = Fraction(rate or stream.average_rate or stream.guessed_rate or 25)
        self.aspect = stream.sample_aspect_ratio or None
        self.codec = stream.codec_context.name
        self.index = stream.index
        covers = av.stream.Disposition.attached_pic
        self.beside = sorted(
            {each.type for each in container.streams if each != stream and not each.disposition & covers}
        )
        self.start = stream.start_time or 0
        self._promised = len(_numbers(source)) if self._format == "image2" else stream.frames  # type: ignore[arg-type]
        self._seconds = _seconds(container, stream)
        self._end = _tagged_end(stream)
        if self._format == "yuv4mpegpipe":
            self._pipe = container
            first = self._blank(stream)
        else:
            first = self._first(container, stream)
            container.close()
        self.matrix = _matrix(first)
        self.screen = screen(first)
        self.unsaid = unsaid(first)
        self.layout = layout(first, centred=self.codec in CENTRED)
        if has_alpha(first):
            warnings.warn(f"{self.name}: videos keep no transparency; it is left out", LossWarning, stacklevel=2)
        if self._fields(stream, first) and not deinterlace:
            raise UsageError(f"{self.name} is interlaced: add --deinterlace to make whole pictures of its fields")

    @property
    def frames(self) -> int:
        """About how many frames there are; 0 where nothing says so."""
        whole = self._promised or round((self._seconds or 0) * self.rate)
        if self.part == WHOLE or not whole:
            return whole
        left = max(Fraction(0), whole / self.rate - self.part.start)
        return round(min(left, self.part.duration or left) * self.rate)

    @property
    def turned(self) -> bool:
        """Whether width and height change places when the video is shown."""
        return self.matrix is not None and self.matrix[0] == 0 == self.matrix[4]

    @property
    def holds_more(self) -> bool:
        """Whether its file may hold sound and more beside the frames."""
        return self._format is None

    def again(self) -> av.container.InputContainer:
        """Its file, opened once more and for the caller to close."""
        return self._open()

    def identity(self) -> list[Any]:
        """What tells its source from another, without all of it being read; a pipe is like no other."""
        if not isinstance(self.source, Path):
            return [secrets.token_hex()]
        if self._format == "image2":
            return [fingerprint(path) for path in numbered(self.source).values()]
        return [fingerprint(self.source)]

    def _open(self) -> av.container.InputContainer:
        import av

        if self._pipe is not None:
            return self._pipe
        try:
            file = _for_ffmpeg(self.source, self._format) if isinstance(self.source, Path) else self.source
            container = av.open(file, "r", format=self._format, options=self._options)
        except FileNotFoundError as error:
            raise UsageError(f"{self.name} does not exist") from error
        except PermissionError as error:
            raise UsageError(f"{self.name} may not be read; check its permissions") from error
        except (av.FFmpegError, ValueError) as error:
            raise DamagedFile(f"{self.name} is damaged or cut short: {plain(error)}") from error
        flag: Any = av.container.Flags.gen_pts  # AVI says only in which order frames are decoded
        container.flags |= flag.value
        return container

    def _video(self, container: av.container.InputContainer) -> av.VideoStream:
        import av

        covers = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & covers]
        if not streams:
            raise UnsupportedFormat(f"{self.name} has no video: it is sound alone, or the like")
        if streams[0].codec_context is None:
            raise UnsupportedFormat(f"{self.name}: its video codec is not known")
        streams[0].thread_type = "SLICE"  # threads by frames would not say which packet an error belongs to
        return streams[0]

    def _first(self, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
        import av

        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                for frame in packet.decode():
                    return frame
            except StopIteration:
                raise DamagedFile(f"{self.name}: not one frame of its video can be decoded") from None
            except av.FFmpegError:
                continue  # counted when the frames are read

    def _blank(self, stream: av.VideoStream) -> av.VideoFrame:
        """What a pipe's frames will look like; reading one would take it away."""
        import av

        frame = av.VideoFrame(stream.width, stream.height, stream.pix_fmt or "yuv420p")
        frame.color_range = stream.color_range
        return frame

    def _fields(self, stream: av.VideoStream, frame: av.VideoFrame) -> bool:
        return frame.interlaced_frame or stream.codec_context.field_order not in _PROGRESSIVE

    def __iter__(self) -> Iterator[Frame]:
        """The frames in the order they are shown, each later than the one before."""
        import av

        self._interlaced = self._resized = 0
        container = self._open()
        try:
            stream = self._video(container)
            first = self.start + round(self.part.start / self.time_base)
            end = None if self.part.duration is None else first + self.part.duration / self.time_base
            if self.part.start and self._pipe is None and not self._leads_to(first, container, stream):
                container.close()
                container = self._open()
                stream = self._video(container)
            last: int | None = None
            for frame in self._mended(container, stream):
                if frame.pts < first:
                    continue
                if end is not None and frame.pts >= end:
                    return
                # A few broken videos give two frames one time.
                pts = frame.pts if last is None or frame.pts > last else last + 1
                last = pts
                yield replace(frame, pts=pts)
            if last is None:
                raise UsageError(f"{self.name} has no frame after {float(self.part.start):g} s")
        except av.FFmpegError as error:
            raise DamagedFile(f"{self.name}: {plain(error)}") from error
        finally:
            if self._pipe is None:
                container.close()
            if self._interlaced and not self.deinterlace:
                warnings.warn(
                    f"{self.name}: {self._interlaced} frames are interlaced: --deinterlace makes them whole pictures",
                    LossWarning,
                    stacklevel=2,
                )
            if self._resized:
                size = f"{self.layout.width}x{self.layout.height}"
                warnings.warn(
                    f"{self.name}: {self._resized} frames have another size than the first, and are brought to {size}",
                    LossWarning,
                    stacklevel=2,
                )

    def _leads_to(self, first: int, container: av.container.InputContainer, stream: av.VideoStream) -> bool:
        """Whether a file can go to the last key frame before `first`, where it then is; MPEG streams often cannot."""
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

    def _mended(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[Frame]:
        """All frames; the last good one, at their own times, for those that are damaged or do not come.

        After a packet that cannot be decoded, frames may be missing up to the next key frame: until then each
        packet's time is expected. Elsewhere a packet without a frame is none (VP8 has such).
        """
        expected: list[int] = []
        good: Frame | None = None
        early: list[int] = []  # times before the first good frame

        def stand_in(pts: int) -> Iterator[Frame]:
            if good is None:
                early.append(pts)
            else:
                yield Frame(good.planes, pts, stands_in=True)

        for frame, corrupt in self._decoded(container, stream, expected):
            while expected and expected[0] < frame.pts:
                yield from stand_in(heapq.heappop(expected))
            if expected and expected[0] == frame.pts:
                heapq.heappop(expected)
            if corrupt:
                if self.strict:
                    raise DamagedFile(f"{self.name}: the frame at {self._time(frame.pts)} is damaged")
                yield from stand_in(frame.pts)
                continue
            good = frame
            for pts in early:
                yield Frame(frame.planes, pts, stands_in=True)
            early.clear()
            yield frame
        while expected:
            yield from stand_in(heapq.heappop(expected))

    def _decoded(
        self, container: av.container.InputContainer, stream: av.VideoStream, expected: list[int]
    ) -> Iterator[tuple[Frame, bool]]:
        """Frames as the decoder gives them, each with whether it is damaged; puts the times of frames that may be
        missing into the heap `expected`.
        """
        import av

        fields = Fields(stream) if self.deinterlace else None
        corrupt: set[int] = set()
        broken = False
        for packet in self._packets(container, stream):
            if packet.is_keyframe and not packet.is_corrupt:
                broken = False
            try:
                decoded = packet.decode()
            except (av.InvalidDataError, av.error.PatchWelcomeError) as error:
                if self.strict:
                    raise DamagedFile(f"{self.name}: the frame at {self._time(packet.pts)}: {plain(error)}") from error
                decoded, broken = [], True
            if broken and packet.pts is not None and not packet.is_discard:
                heapq.heappush(expected, packet.pts)
            if packet.is_corrupt and packet.pts is not None:
                corrupt.add(packet.pts)
            for frame in decoded:
                if frame.pts is None:
                    frame.pts = frame.dts or 0
                self._interlaced += frame.interlaced_frame
                bad = frame.is_corrupt or frame.pts in corrupt
                corrupt.discard(frame.pts)
                for whole in fields.push(frame) if fields else (frame,):
                    yield self._frame(whole), bad
        if fields:
            for whole in fields.flush():
                yield self._frame(whole), False

    def _packets(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet[Any]]:
        """The video's packets, the empty last one too; a file that breaks off just ends."""
        import av

        count, length, end = 0, 0, Fraction(0)
        try:
            for packet in container.demux(stream):
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * self.time_base)
                count += packet.size > 0  # hidden ones too: MP4 counts them
                length += packet.size
                yield packet
        except av.FFmpegError as error:
            if self.strict:
                raise DamagedFile(f"{self.name} breaks off: {plain(error)}") from error
            warnings.warn(f"{self.name} is damaged and ends early: {plain(error)}", LossWarning, stacklevel=2)
            return
        if self.part != WHOLE or self._format is not None:
            return
        message = ""
        if container.format.name == "yuv4mpegpipe" and _breaks_off(self.source, count, length):
            message = f"{self.name} is cut short inside the frame after the first {count}"
        if count < self._promised:
            message = f"{self.name} is cut short: {count} of {self._promised} frames are there"
        elif end < self._end - _EARLY:
            when = f"{float(end):.2f} of {float(self._end):.2f} s"
            message = f"{self.name} is damaged or cut short: its picture ends at {when}"
        if message and self.strict:
            raise DamagedFile(message)
        if message:
            warnings.warn(message, LossWarning, stacklevel=2)

    def _frame(self, frame: av.VideoFrame) -> Frame:
        assert frame.pts is not None
        self._resized += (frame.height, frame.width) != self.layout.shapes[0]
        return Frame(from_av(frame, self.layout), frame.pts, frame.duration or 0)

    def _time(self, pts: int | None) -> str:
        return "an unknown time" if pts is None else f"{float((pts - self.start) * self.time_base):.2f} s"


class Fields:
    """FFmpeg's bwdif: each pair of fields becomes one picture, at the time of the first."""

    def __init__(self, stream: av.VideoStream) -> None:
        import av

        self._graph = av.filter.Graph()
        self._time_base = stream.time_base
        self._nodes = (
            self._graph.add_buffer(template=stream),
            self._graph.add("bwdif", "mode=send_frame:parity=auto:deint=all"),
            self._graph.add("buffersink"),
        )
        self._graph.link_nodes(*self._nodes).configure()

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        self._nodes[0].push(frame)
        yield from self._ready()

    def flush(self) -> Iterator[av.VideoFrame]:
        self._nodes[0].push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[av.VideoFrame]:
        import av

        while True:
            try:
                frame = self._nodes[-1].pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.VideoFrame)
            assert frame.pts is not None
            assert self._time_base is not None
            assert frame.time_base is not None
            # The filter counts in half units.
            frame.pts = round(frame.pts * frame.time_base / self._time_base)
            frame.duration = round((frame.duration or 0) * frame.time_base / self._time_base)
            frame.time_base = self._time_base
            yield frame


def is_pattern(path: Path) -> bool:
    """Whether a path stands for a frame folder, such as "frames/%06d.png", and is no file of that name itself."""
    return _COUNTER.search(path.name) is not None and path.name.count("%") == 1 and not path.exists()


def _breaks_off(y4m: Any, frames: int, length: int) -> bool:
    """Whether a Y4M file begins one frame more than FFmpeg gives; it says nothing of that."""
    with Path(y4m).open("rb") as file:
        file.readline(_LINE)
        file.seek(frames * len(_FRAME) + length, os.SEEK_CUR)
        return file.read(len(_FRAME)).startswith(_FRAME[:-1])


def _for_ffmpeg(path: Path, kind: str | None) -> str:
    """Whole, since "12:30.mkv" alone would be taken for an address; of a frame folder only its counter is one."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder.replace("%", "%%") if kind == "image2" else folder, name)


def numbered(pattern: Path) -> dict[int, Path]:
    """The files that there are of a frame folder, by number."""
    match = _COUNTER.search(pattern.name)
    assert match is not None
    before, after = pattern.name[: match.start()], pattern.name[match.end() :]
    files = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found = [files.fullmatch(path.name) for path in pattern.parent.iterdir()] if pattern.parent.is_dir() else []
    numbers = sorted(int(one[1]) for one in found if one is not None and pattern.name % int(one[1]) == one[0])
    return {number: pattern.with_name(pattern.name % number) for number in numbers}


def _numbers(pattern: Path) -> list[int]:
    """The numbers of a frame folder's files. Raises `UsageError` where there are none, or one is missing."""
    numbers = list(numbered(pattern))
    if not numbers:
        raise UsageError(f"there are no files {pattern}")
    for number, expected in zip(numbers, range(numbers[0], numbers[-1] + 1), strict=False):
        if number != expected:
            raise UsageError(f"{pattern.parent / (pattern.name % expected)} is missing between the other frames")
    return numbers


def fingerprint(path: Path) -> dict[str, Any]:
    """What tells a file from another without reading all of it: its size, its time, and its first and last MiB."""
    status = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(1 << 20))
        file.seek(max(0, status.st_size - (1 << 20)))
        digest.update(file.read(1 << 20))
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "sha256": digest.hexdigest()}


def _seconds(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return None if container.duration is None else Fraction(container.duration, 1_000_000)


def _tagged_end(stream: av.VideoStream) -> Fraction:
    """When the video ends as Matroska's tags have it, in seconds; 0 where they say nothing."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    return 3600 * Fraction(match[1]) + 60 * Fraction(match[2]) + Fraction(match[3]) if match else Fraction(0)


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine numbers of a display matrix that does anything, as FFmpeg has them."""
    found: Any = frame.side_data.get("DISPLAYMATRIX")
    numbers = struct.unpack("=9i", bytes(memoryview(found))) if found is not None else None
    return None if numbers == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30) else numbers


def plain(error: Exception) -> str:
    """What FFmpeg says, without its number."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).split(":")[0].lower()
