"""What FFmpeg's muxers write of Matroska files only in part: chapters, and the size at which a video is shown.

FFmpeg knows one list of chapters with one title each, and its muxer inside another one writes none. A Matroska file
has editions, chapters inside chapters, titles in several languages, and flags of players. PyAV does not tell the muxer
the shape of pixels; without it, players take them for squares.

Source: RFC 9559 (Matroska), RFC 8794 (EBML).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from hyperacuity.errors import BadOutput

_EBML, _SEGMENT, _SEEK_HEAD, _CHAPTERS = 0x1A45DFA3, 0x18538067, 0x114D9B74, 0x1043A770
_CLUSTER, _VOID, _CHECKSUM = 0x1F43B675, 0xEC, 0xBF
_TRACKS, _TRACK, _TYPE, _NAME, _VIDEO = 0x1654AE6B, 0xAE, 0x83, 0x536E, 0xE0
_TYPES = (1, 2, 17, 33)  # video, sound, subtitles, metadata: the tracks that FFmpeg counts
# The last is its unit, which FFmpeg sets to "unknown"; without it, it is pixels.
_SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT = 0x54B0, 0x54BA, 0x54B2
# A track's name begins with this until `set_display` has replaced it: more bytes than the elements that come instead.
_RESERVED = "-" * 64
# More bytes than the identifiers and sizes of the elements around chapters.
_HEAD = 64
_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_EDITION, _ATOM, _UID, _START, _END, _DISPLAY, _STRING, _LANGUAGE = (
    0x45B9, 0xB6, 0x73C4, 0x91, 0x92, 0x80, 0x85, 0x437C,
)  # fmt: skip


def read_chapters(path: Path) -> bytes:
    """Returns the chapters of a Matroska file as they are stored; nothing if it has none.

    Args:
        path: The file; it may be cut short.
    """
    with path.open("rb") as file:
        try:
            head, size = _header(file)
            if head == _EBML:
                file.seek(size, 1)
                head, size = _header(file)
            if head != _SEGMENT:
                return b""
            begin = file.tell()
            while True:
                head, size = _header(file)
                if head == _CHAPTERS:
                    content = file.read(size)
                    return content if len(content) == size else b""
                if head == _SEEK_HEAD and (place := _listed_place(file.read(size))):
                    file.seek(begin + place)
                elif head != _SEEK_HEAD:
                    file.seek(size, 1)
        except (BadOutput, OverflowError):  # the end of the file, or an element of unknown size
            return b""


def read_video_numbers(path: Path, index: int) -> dict[int, int]:
    """Returns the numbers that a Matroska file states of the video of a track, by the identifiers of their elements.

    Args:
        path: The file.
        index: Of the track as FFmpeg counts them.

    Raises:
        BadOutput: If the file has no such track.
    """
    with path.open("rb") as file:
        head, size = _header(file)
        while head != _TRACKS:
            file.seek(0 if head == _SEGMENT else size, 1)
            head, size = _header(file)
        tracks = [dict(_children(value)) for kind, value in _children(file.read(size)) if kind == _TRACK]
    known = [each for each in tracks if int.from_bytes(each.get(_TYPE, b""), "big") in _TYPES]
    if index >= len(known):
        raise BadOutput(f"{path} has no track {index}")
    return {kind: int.from_bytes(value, "big") for kind, value in _children(known[index].get(_VIDEO, b""))}


def count_chapters(content: bytes) -> int:
    """Returns how many chapters there are, those inside others too.

    Args:
        content: As `read_chapters` returns them.
    """
    inner = [(kind, value) for kind, value in _children(content) if kind in (_EDITION, _ATOM)]
    return sum((kind == _ATOM) + count_chapters(value) for kind, value in inner)


def segment_end(file: IO[bytes]) -> int:
    """Returns where the segment of a Matroska file ends by its own size; 0 if it has none, as in live recordings.

    Args:
        file: Open at its beginning.

    Raises:
        BadOutput: If it is no Matroska file.
    """
    head, size = _header(file)
    while head != _SEGMENT:
        file.seek(size, 1)
        head, size = _header(file)
    return 0 if (size + 1).bit_count() == 1 and size > 1 << 48 else file.tell() + size


def _listed_place(index: bytes) -> int:
    """Where chapters begin in the segment, according to its index of elements; 0 if they are not listed."""
    for _, entry in _children(index):
        fields = dict(_children(entry))
        if fields.get(_SEEK_ID) == _id(_CHAPTERS):
            return int.from_bytes(fields.get(_SEEK_POSITION, b""), "big")
    return 0


def shift_chapters(content: bytes, origin: Fraction) -> bytes:
    """Returns chapters as they are stored, without those that end before 0.

    Args:
        content: As `read_chapters` returns them.
        origin: The time, in seconds, that becomes 0.
    """
    return _shifted(content, round(origin * 1_000_000_000)) if origin else content


def _shifted(content: bytes, by: int) -> bytes:
    elements = [(kind, value) for kind, value in _children(content) if kind not in (_VOID, _CHECKSUM)]
    starts = [_number(value, _START) for kind, value in elements if kind == _ATOM]
    result, atoms = b"", 0
    for kind, value in elements:
        if kind == _ATOM:
            atoms += 1
            following = starts[atoms] if atoms < len(starts) else None
            end = _number(value, _END)
            end = following if end is None else end
            if end is not None and end <= by:
                continue
        moved = value
        if kind in (_EDITION, _ATOM):
            moved = _shifted(value, by)
            if kind == _EDITION and all(head != _ATOM for head, _ in _children(moved)):
                continue  # none of its chapters is left
        elif kind in (_START, _END):
            moved = struct.pack(">Q", max(0, int.from_bytes(value, "big") - by))
        result += _element(kind, moved)
    return result


def _number(atom: bytes, kind: int) -> int | None:
    return next((int.from_bytes(value, "big") for head, value in _children(atom) if head == kind), None)


def _children(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The identifiers and contents of the elements inside another one."""
    file = io.BytesIO(content)
    while file.tell() < len(content):
        head, size = _header(file)
        yield head, file.read(size)


def encode_chapters(chapters: Sequence[Any]) -> bytes:
    """Returns chapters, as PyAV has them, in the form that `add_chapters` takes; nothing if there are none."""
    return _element(_EDITION, b"".join(map(_atom, chapters))) if chapters else b""


def reserve(chapters: bytes) -> list[Any]:
    """Returns chapters for PyAV, in whose place `add_chapters` puts the real ones: before the frames, where all look.

    Args:
        chapters: As they are stored.
    """
    title = "-" * (len(chapters) + _HEAD)
    return [{"id": 1, "start": 0, "end": 1, "time_base": Fraction(1, 1000), "metadata": {"title": title}}]


def add_chapters(path: Path, chapters: bytes) -> None:
    """Put chapters into a file: in place of those that `reserve` made, or at its end, listed in its index of elements.

    Args:
        path: A file by FFmpeg's muxer: one segment of known size, with room after its index.
        chapters: As they are stored.

    Raises:
        BadOutput: If the file has another structure.
    """
    with path.open("r+b") as file:
        head, size = _header(file)
        while head != _SEGMENT:
            file.seek(size, 1)
            head, size = _header(file)
        begin = file.tell()
        content = _element(_CHAPTERS, chapters)
        if _replace_reserved(file, content):
            return
        file.seek(begin)
        head, length = _header(file)
        index = file.read(length)
        after, room = _header(file)
        spare = file.tell() + room - begin  # bytes for the index and what is left of the room
        end = file.seek(0, 2)
        if head != _SEEK_HEAD or after != _VOID or begin + size != end:
            raise BadOutput(f"{path} has no room for chapters")
        place = _element(_SEEK_POSITION, struct.pack(">Q", end - begin))
        entry = _element(_SEEK, _element(_SEEK_ID, _id(_CHAPTERS)) + place)
        longer = _element(_SEEK_HEAD, index + entry)
        if len(longer) + 9 > spare:
            raise BadOutput(f"{path} has no room for chapters")
        file.write(content)
        file.seek(begin - 8)
        file.write(_size(size + len(content)))
        rest = spare - len(longer) - 9
        file.write(longer + _id(_VOID) + _size(rest) + bytes(rest))


@dataclass(frozen=True)
class Display:
    """How the video of a file is shown.

    Attributes:
        width, height: Of what is shown, in pixels; of one view, if the video holds two.
        name: Of its track; "" for none.
    """

    width: int
    height: int
    name: str = ""

    @property
    def reserved(self) -> str:
        """A name for the track with room for the size."""
        return _RESERVED + self.name


def set_display(path: Path, display: Display) -> None:
    """Write the size at which a video is shown, and the name of its track, in place of the name that was reserved.

    Raises:
        BadOutput: If the file has no track of that name.
    """
    with path.open("r+b") as file:
        head, size = _header(file)
        while head != _SEGMENT:
            file.seek(size, 1)
            head, size = _header(file)
        while head != _TRACKS:
            head, size = _header(file)
            if head != _TRACKS:
                file.seek(size, 1)
        end = file.tell() + size
        while file.tell() < end:
            head, size = _header(file)
            content = file.read(size)
            if head == _TRACK and (_NAME, display.reserved.encode()) in (track := list(_children(content))):
                file.seek(-size, 1)
                file.write(_with_display(track, display, size))
                return
    raise BadOutput(f"{path} has no place for the size of its video")


def _with_display(track: list[tuple[int, bytes]], display: Display, size: int) -> bytes:
    """The content of a track with the size, filled up to the length that it had."""
    made = b""
    for kind, value in track:
        if kind == _VIDEO:
            outdated = (_SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT)
            kept = [(head, inner) for head, inner in _children(value) if head not in outdated]
            shown = ((_SHOWN_WIDTH, display.width), (_SHOWN_HEIGHT, display.height))
            kept += [(head, struct.pack(">I", side)) for head, side in shown]
            made += _short_element(kind, b"".join(_short_element(*each) for each in kept))
        elif kind == _NAME:
            made += _short_element(kind, display.name.encode()) if display.name else b""
        elif kind != _VOID:
            made += _short_element(kind, value)
    rest = size - len(made) - 9
    return made + _id(_VOID) + _size(rest) + bytes(rest)


def _replace_reserved(file: IO[bytes], content: bytes) -> bool:
    """Write chapters in place of others before the frames, if there are any that are longer."""
    place = file.tell()
    head, size = _header(file)
    while head not in (_CHAPTERS, _CLUSTER):
        place = file.seek(size, 1)
        head, size = _header(file)
    rest = file.tell() + size - place - len(content) - 9
    if head != _CHAPTERS or rest < 0:
        return False
    file.seek(place)
    file.write(content + _id(_VOID) + _size(rest) + bytes(rest))
    return True


def _atom(chapter: Any) -> bytes:
    base = chapter["time_base"] or Fraction(1, 1000)
    start, end = (round(chapter[side] * base * 1_000_000_000) for side in ("start", "end"))
    numbers = ((_UID, (chapter["id"] & (1 << 62) - 1) + 1), (_START, start), (_END, end))
    atom = b"".join(_element(kind, struct.pack(">Q", number)) for kind, number in numbers)
    title = {key.lower(): value for key, value in chapter["metadata"].items()}.get("title")
    if title is not None:
        atom += _element(_DISPLAY, _element(_STRING, title.encode()) + _element(_LANGUAGE, b"und"))
    return _element(_ATOM, atom)


def _header(file: IO[bytes]) -> tuple[int, int]:
    """The identifier and the size of the next element."""
    first = file.read(1)
    if not first or not first[0]:
        raise BadOutput("this is not a Matroska file")
    identifier = int.from_bytes(first + file.read(8 - first[0].bit_length()), "big")
    first = file.read(1)
    if not first or not first[0]:
        raise BadOutput("this is not a Matroska file")
    width = 9 - first[0].bit_length()
    return identifier, int.from_bytes(first + file.read(width - 1), "big") & (1 << 7 * width) - 1


def _id(identifier: int) -> bytes:
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")


def _size(size: int) -> bytes:
    """A size in eight bytes."""
    return struct.pack(">Q", size | 1 << 56)


def _short_element(identifier: int, content: bytes) -> bytes:
    """An element whose size has as few bytes as possible."""
    width = -(-(len(content) + 1).bit_length() // 7)
    return _id(identifier) + (len(content) | 1 << 7 * width).to_bytes(width, "big") + content


def _element(identifier: int, content: bytes) -> bytes:
    return _id(identifier) + _size(len(content)) + content
