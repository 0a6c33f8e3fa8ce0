"""An inventory: everything that a video says besides its frames is in the result, or named in a warning."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hyperacuity import Size, load, video
from hyperacuity.errors import HyperacuityError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.task import VideoOptions
from hyperacuity.upscaler import Upscaler
from tests.video.test_streams import remade, with_cover_and_font
from tests.video.videos import make, moving_frames, packets

SHARED = Path(__file__).parents[2] / "../shared"
FOLDERS = (SHARED / "data/formats/video", SHARED / "cases/films")
FILES = sorted(path for folder in FOLDERS if folder.is_dir() for path in folder.iterdir())
# What describes the old file and would be wrong of the new one.
STALE = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|(duration|bps|number_of_\w+|_statistics\w*)(-eng)?|handler_name"
    r"|vendor_id|alpha_mode|filename|mimetype",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return load("bicubic")


def tags(found: dict[str, str]) -> set[tuple[str, str]]:
    names = {"name": "title"}  # MP4's and Matroska's word for the same
    kept = (
        (key, value) for key, value in found.items() if not STALE.fullmatch(key) and not value.startswith("1970-01-01")
    )
    return {(names.get(key.lower(), key.lower()), value) for key, value in kept}


def inventory(path: Path) -> Counter[tuple[Any, ...]]:
    """Everything that a file says, without its frames."""
    found: Counter[tuple[Any, ...]] = Counter()
    with av.open(str(path)) as container:
        found.update(("tag", *each) for each in tags(container.metadata))
        found.update(("chapter", chapter["metadata"].get("title")) for chapter in container.chapters())
        videos = [stream for stream in container.streams.video if not stream.disposition & 1024]
        main = max(videos, key=lambda one: (one.disposition & 1, one.codec_context.width), default=None)
        for stream in container.streams:
            chapters = stream.type == "data" and stream.discard == av.stream.Discard.all
            if chapters or (stream.type == "data" and "timecode" in stream.metadata):
                continue
            codec = stream.codec_context.name if stream.codec_context else stream.name
            found["stream", "main" if stream is main else stream.type, "" if stream is main else codec] += 1
            described = tags(stream.metadata)
            found.update(("tag", stream.type, *each) for each in described if each != ("language", "und"))
            flags = [flag for flag in av.stream.Disposition if flag & stream.disposition]
            found.update(("disposition", stream.type, flag.name) for flag in flags)
        if main is not None:
            context: Any = main.codec_context
            if (shape := main.sample_aspect_ratio) not in (None, 1):
                found["shape of pixels", round(float(shape) * 20)] += 1  # Matroska has whole pixels
            for name in ("color_primaries", "color_trc", "colorspace", "color_range"):
                if (code := int(getattr(context, name))) not in (0, 2):
                    found["colour", name, code] += 1
            try:
                frame = next(container.decode(main))
            except (av.FFmpegError, StopIteration):
                return found
            held: Any = frame.side_data
            found.update(("side data", data.type.name) for data in held)
    return found


def unnamed(before: Path, after: Path, said: str) -> list[tuple[Any, ...]]:
    """What of `before` is neither in `after` nor named in `said`; a clause about one stream counts for one only."""
    held = inventory(after)
    left_out = Counter(re.findall(r"stream \d+ \((\w+)[^)]*\) does not fit", said))
    with av.open(str(before)) as container:
        kinds = [stream.type for stream in container.streams]
    tags_of_streams = Counter(
        (kinds[int(index)], name.lower())
        for names, index in re.findall(r"the tags (.+?) of stream (\d+) are left out", said)
        for name in names.split(", ")
    )
    tags_of_file = {
        name.lower() for names in re.findall(r"its tags (.+?) are left out", said) for name in names.split(", ")
    }
    marks = Counter(
        (kind, name)
        for kind, names in re.findall(r"stream \d+ \((\w+)\) is marked (.+?) is left out", said)
        for name in names.split(", ")
    )
    lost = []
    for item, count in (inventory(before) - held).items():
        kind, *what = item
        if kind == "side data" and what[0] in ("SEI_UNREGISTERED", "GOP_TIMECODE"):  # of the old encoder
            continue
        if kind == "disposition":
            # MP4 has one word for two of these; the default follows from the container.
            if what[-1] in ("default", "captions", "descriptions", "attached_pic"):
                continue
            allowed = marks[what[0], what[1]] + left_out[what[0]]
        elif kind == "tag" and len(what) == 3:
            allowed = tags_of_streams[what[0], what[1].lower()] + left_out[what[0]]
            if what[1] == "creation_time" and ("tag", *what[1:]) in held:  # Matroska has one date for the whole file
                continue
        elif kind == "tag":
            allowed = count if what[0].lower() in tags_of_file else 0
        else:
            words = f"as {what[-1]}" if kind == "stream" else str(what[-1])
            if item[:2] == ("stream", "attachment"):
                words = f"attachment {what[-1]}"
            allowed = count if re.search(re.escape(words), said, re.IGNORECASE) else 0
        if count > allowed:
            lost.append(item)
    return lost


def upscaled(upscaler: Upscaler, source: Path, target: Path, options: VideoOptions | None = None) -> str:
    """Upscale a video and return all warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        video.upscale(upscaler, source, target, Size(1), options)
    return "\n".join(str(each.message) for each in caught)


@pytest.mark.skipif(not FILES, reason="needs ../shared")
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("source", FILES, ids=lambda path: path.name)
def test_nothing_of_real_files_is_dropped_in_silence(
    source: Path, suffix: str, upscaler: Upscaler, tmp_path: Path
) -> None:
    try:
        said = upscaled(upscaler, source, tmp_path / f"a.{suffix}", VideoOptions(duration="1/5", preset="ultrafast"))
    except HyperacuityError as error:
        assert "none of its frames can be decoded" in str(error) or "matrix" in str(error)  # noqa: PT017
        return
    assert unnamed(source, tmp_path / f"a.{suffix}", said) == []


# What the streams of a rich file are for.
MARKS = (
    av.stream.Disposition.default | av.stream.Disposition.original | av.stream.Disposition.visual_impaired,
    av.stream.Disposition.comment | av.stream.Disposition.hearing_impaired,
    av.stream.Disposition.dub,
)


def turn(stream: Any) -> None:
    """Turn a video by 90 degrees."""
    stream.set_display_matrix((0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30))


def rich(tmp_path: Path, suffix: str) -> Path:
    """A video with all that a container of this kind can hold."""

    def change(before: Any, after: Any) -> list[Any]:
        if suffix == ".mkv":
            with_cover_and_font(before, after)
        after.metadata.update(
            {"title": "Night", "artist": "Resnais", "MY_KEY": "mine", "creation_time": "2024-05-06T07:08:09.000000Z"}
        )
        after.metadata["com.apple.quicktime.make"] = "Apple"
        after.set_chapters(
            [
                {
                    "id": n,
                    "start": 100 * n,
                    "end": 100 * n + 100,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": t},
                }
                for n, t in enumerate(("Opening", "End"))
            ]
        )
        for number, stream in enumerate(after.streams):
            if stream.type == "attachment":
                continue
            stream.metadata.update({"title": f"Track {number}", "language": "fra", "comment": "of a stream"})
            if stream.type != "subtitle":
                stream.disposition = MARKS[number]
            if stream.type == "video":
                turn(stream)
            stream.metadata.update({"BPS": "1", "NUMBER_OF_FRAMES-eng": "2", "_STATISTICS_TAGS": "BPS"})
        return []

    texts = 1 if suffix == ".mkv" else 0
    frames = moving_frames(6)
    source = make(tmp_path / f"made{suffix}", frames, codec="libx264", sounds=2, subtitles=texts, described=True)
    options = {"movflags": "+use_metadata_tags"} if suffix == ".mp4" else {}
    return remade(source, tmp_path / f"rich{suffix}", change, **options)


@pytest.mark.parametrize("after", [".mkv", ".mp4", ".mov", ".webm"])
@pytest.mark.parametrize("before", [".mkv", ".mp4"])
def test_nothing_of_a_rich_file_is_dropped_in_silence(
    before: str, after: str, upscaler: Upscaler, tmp_path: Path
) -> None:
    source = rich(tmp_path, before)
    assert len(inventory(source)) > 10
    said = upscaled(upscaler, source, tmp_path / f"a{after}")
    assert unnamed(source, tmp_path / f"a{after}", said) == []
    if before == after:
        assert said.count("\n") <= 1  # its own container holds all of it


# Lines of carrying and of naming: the function, the line, and the container in which its absence shows.
CARRYING = (
    ("opening._add_video", "stream.disposition = like.disposition", ".mkv"),
    ("opening._add_video", "stream.set_display_matrix(video.display_matrix)", ".mkv"),
    ("opening._add_video", "losses += copying.lost_tags(like, kind)", ".mp4"),
    ("opening._add_video", "losses += lost_dispositions(like, kind)", ".mp4"),
    ("opening.open_result", "losses += copying.lost_tags(stream, kind)", ".mp4"),
    ("opening.open_result", "losses += lost_dispositions(stream, kind)", ".mov"),
    ("opening.open_result", "losses += lost", ".mp4"),
    ("opening.open_result", "copying.copy_tags(target, kind, source)", ".mkv"),
    ("opening.open_result", "target.set_chapters(reserve(chapters) if chapters else known)", ".mp4"),
    ("opening.open_result", "copying.mux_cover(target, copy, covers[copy.source.index])", ".mp4"),
    ("copying.begin_copy", "copy.metadata.update(stream_tags(stream, kind))", ".mkv"),
    ("copying.begin_copy", "copy.disposition = stream.disposition", ".mkv"),
    ("muxing.mux", "set_display(path, opened.display)", ".mkv"),
    ("encoder.EncoderTarget.describe", "context.color_primaries, context.color_trc = colour.primaries, "
     "colour.transfer", ".mkv"),
    ("encoder.EncoderTarget.describe", "context.colorspace, context.color_range = colour.matrix, colour.range", ".mkv"),
    ("encoder.EncoderTarget.describe", "context.sample_aspect_ratio = self.aspect", ".mp4"),
)  # fmt: skip


@pytest.mark.parametrize(("function", "line", "after"), CARRYING)
def test_the_inventory_notices_a_line_that_is_taken_out(
    function: str, line: str, after: str, upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rich(tmp_path, ".mkv")
    module, *path = function.split(".")
    owner: Any = importlib.import_module(f"hyperacuity.formats.video.{module}")
    for name in path[:-1]:
        owner = getattr(owner, name)
    whole = getattr(owner, path[-1])
    text = textwrap.dedent(inspect.getsource(whole))
    assert text.count(f"    {line}\n") == 1
    changed: dict[str, Any] = {}
    exec(compile(text.replace(f"    {line}\n", "    pass\n"), module, "exec"), whole.__globals__, changed)
    for place in [owner, *(each for name, each in sys.modules.items() if name.startswith("hyperacuity."))]:
        if getattr(place, path[-1], None) is whole:
            monkeypatch.setattr(place, path[-1], changed[path[-1]])
    try:
        said = upscaled(upscaler, source, tmp_path / f"a{after}")
    except HyperacuityError:
        return  # the verification notices it
    assert unnamed(source, tmp_path / f"a{after}", said)


SOUNDS = {
    "pcm_mulaw": "avi",
    "pcm_alaw": "avi",
    "pcm_u8": "avi",
    "pcm_s24le": "avi",
    "pcm_s24be": "mov",
    "adpcm_ms": "avi",
    "adpcm_ima_wav": "avi",
    "adpcm_yamaha": "avi",
    "wmav1": "avi",
    "wmav2": "asf",
    "libopencore_amrnb": "3gp",
}


@pytest.mark.parametrize("codec", SOUNDS)
def test_matroska_keeps_sound_of_other_containers(codec: str, upscaler: Upscaler, tmp_path: Path) -> None:
    source = tmp_path / f"a.{SOUNDS[codec]}"
    try:
        sounding(source, codec)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg has no {codec}: {error}")
    said = upscaled(upscaler, source, tmp_path / "b 'x' [y]|z.mkv")
    assert "left out" not in said
    before, after = packets(source, "audio"), packets(tmp_path / "b 'x' [y]|z.mkv", "audio")
    assert [data for _, data in after[0]] == [data for _, data in before[0]]
    with av.open(str(source)) as one, av.open(str(tmp_path / "b 'x' [y]|z.mkv")) as other:
        assert one.streams.audio[0].codec_context.name == other.streams.audio[0].codec_context.name
        heard = [np.concatenate([f.to_ndarray() for f in each.decode(audio=0)], -1) for each in (one, other)]
    assert codec == "libopencore_amrnb" or np.array_equal(heard[0], heard[1])  # an edit list hides its beginning


def sounding(path: Path, codec: str, count: int = 10) -> Path:
    """A video with sound of a codec."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
        sound: Any = container.add_stream(codec, rate=8000)
        sound.layout = "mono"
        container.start_encoding()
        resampler = av.AudioResampler(sound.format, "mono", 8000, sound.codec_context.frame_size or None)
        for n, picture in enumerate(moving_frames(count)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            wave = (8000 * np.sin(np.arange(320 * n, 320 * n + 320) / 9)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, 320 * n
            for each in resampler.resample(frame):
                container.mux(sound.encode(each))
        for each in resampler.resample(None):
            container.mux(sound.encode(each))
        container.mux(stream.encode(None))
        container.mux(sound.encode(None))
    return path


def test_matroska_keeps_chapters_beside_sound_of_other_containers(upscaler: Upscaler, tmp_path: Path) -> None:
    """The muxer inside another one writes no chapters; they are added to the finished file."""
    first = sounding(tmp_path / "a.avi", "adpcm_ms")
    upscaled(upscaler, first, tmp_path / "a.mkv")
    from hyperacuity.formats.video.matroska import add_chapters, encode_chapters

    chapters = [
        {
            "id": n,
            "start": 100 * n,
            "end": 100 * n + 100,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": f"No {n}"},
        }
        for n in range(3)
    ]
    add_chapters(tmp_path / "a.mkv", encode_chapters(chapters))
    upscaled(upscaler, tmp_path / "a.mkv", tmp_path / "b.mkv")
    for path in (tmp_path / "a.mkv", tmp_path / "b.mkv"):
        with av.open(str(path)) as container:
            found = container.chapters()
        assert [chapter["metadata"]["title"] for chapter in found] == ["No 0", "No 1", "No 2"]
        assert [chapter["start"] * (chapter["time_base"] or 0) for chapter in found] == [
            0,
            Fraction(1, 10),
            Fraction(1, 5),
        ]
        assert len(packets(path, "audio")[0]) == len(packets(first, "audio")[0])


@pytest.mark.skipif(shutil.which("mkvinfo") is None, reason="needs mkvinfo")
def test_mkvinfo_reads_added_chapters(upscaler: Upscaler, tmp_path: Path) -> None:
    test_matroska_keeps_chapters_beside_sound_of_other_containers(upscaler, tmp_path)
    run = subprocess.run(["mkvinfo", "--all", str(tmp_path / "b.mkv")], capture_output=True, text=True, check=True)
    assert run.stdout.count("Chapter atom") == 3
    assert "A_MS/ACM" in run.stdout
    assert "rror" not in run.stdout


@pytest.mark.parametrize("start", ["0", "0.16"])
def test_matroska_keeps_all_of_its_chapters(start: str, upscaler: Upscaler, tmp_path: Path) -> None:
    """Editions, chapters inside chapters, languages and flags, of which FFmpeg knows nothing."""
    from hyperacuity.formats.video import matroska
    from hyperacuity.formats.video.matroska import _element

    def chapter(begin: int, *parts: bytes) -> bytes:
        words = _element(0x85, b"Kapitel") + _element(0x437C, b"ger")
        head = _element(0x73C4, bytes([1 + begin // 100_000_000])) + _element(0x91, begin.to_bytes(4, "big"))
        return _element(0xB6, head + _element(0x80, words) + b"".join(parts))

    def edition(begin: int) -> bytes:
        later = chapter(400_000_000 - begin)
        return _element(0x45B9, _element(0x45DD, b"\1") + chapter(0, chapter(200_000_000 - begin)) + later)

    source = make(tmp_path / "a.mkv", moving_frames(20))
    matroska.add_chapters(source, edition(0))
    upscaled(upscaler, source, tmp_path / "b.mkv", VideoOptions("ffv1", start=start))
    moved = round(float(start) * 1_000_000_000)
    assert not matroska.shift_chapters(_element(0x45B9, _element(0xB6, _element(0x92, b"\2"))), Fraction(1))
    found = matroska.read_chapters(tmp_path / "b.mkv")
    assert found.count(b"Kapitel") == found.count(b"ger") == 3
    assert list(_times(found)) == [0, 200_000_000 - moved, 400_000_000 - moved]
    assert b"\x45\xdd" in found
    content = (tmp_path / "b.mkv").read_bytes()
    said = upscaled(upscaler, source, tmp_path / "c.mp4", VideoOptions("h264", start=start))
    assert "1 chapter inside other chapters or in another edition left out" in said
    assert content.index(found) < content.index(bytes.fromhex("1F43B675"))  # before the frames, as in other files


def _times(chapters: bytes) -> Iterator[int]:
    """When chapters begin, also those inside others, in nanoseconds."""
    from hyperacuity.formats.video.matroska import _children

    for kind, value in _children(chapters):
        if kind == 0x91:
            yield int.from_bytes(value, "big")
        elif kind in (0x45B9, 0xB6):
            yield from _times(value)


def spherical(source: Path, target: Path, boxes: bytes) -> Path:
    """An MP4 with boxes in the sample entry of its video."""
    from hyperacuity.formats.video.projection import _with_boxes

    data = source.read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")  # so that no offset changes
    at = data.index(b"moov") - 4
    target.write_bytes(data[:at] + _with_boxes(data[at:], boxes))
    return target


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "ffv1"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_projections_are_kept(codec: str, suffix: str, upscaler: Upscaler, tmp_path: Path) -> None:
    from hyperacuity.formats.video.projection import Projection

    tile = Projection((2, 1 << 16, 2 << 16, -3 << 16, 0, 1 << 30, 0, 1 << 29, 0), (1, 0))
    source = spherical(
        make(tmp_path / "a.mp4", moving_frames(3, 72, 96), codec="libx264"), tmp_path / "b.mp4", tile.boxes()
    )
    target = tmp_path / f"c.{suffix}"
    said = upscaled(upscaler, source, target, VideoOptions(codec))
    assert "left out" not in said
    before, after = probed(source), probed(target)
    assert {each["side_data_type"] for each in before} >= {"Spherical Mapping", "Stereo 3D"}
    assert after == before


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
def test_two_views_of_a_flat_video_are_kept(upscaler: Upscaler, tmp_path: Path) -> None:
    from hyperacuity.formats.video.projection import Projection

    made = make(tmp_path / "a.mp4", moving_frames(3, 72, 96), codec="libx264")
    source = spherical(made, tmp_path / "b.mp4", Projection(None, (1, 0)).boxes())
    for suffix in ("mkv", "mp4"):
        assert "left out" not in upscaled(upscaler, source, tmp_path / f"c.{suffix}")
        assert [each["type"] for each in probed(tmp_path / f"c.{suffix}") if "type" in each] == ["side by side"]


def probed(path: Path) -> list[dict[str, Any]]:
    """The side data of a video's stream according to ffprobe."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(run.stdout)["streams"][0].get("side_data_list", [])
    return sorted(found, key=lambda each: str(each["side_data_type"]))


def test_a_projection_that_a_container_cannot_hold_is_named(upscaler: Upscaler, tmp_path: Path) -> None:
    from hyperacuity.formats.video.projection import Projection

    made = make(tmp_path / "a.mp4", moving_frames(3, 72, 96), codec="libx264")
    source = spherical(made, tmp_path / "b.mp4", Projection((0,) * 9, (2, 0)).boxes())
    said = upscaled(upscaler, source, tmp_path / "c.mov")
    assert "its projection (360 degrees) is left out; .mp4 and .mkv hold it" in said
    assert "stereo 3D" in said


def test_losses_are_named_before_the_work(upscaler: Upscaler, tmp_path: Path) -> None:
    source = sounding(tmp_path / "a.avi", "adpcm_ms")
    order: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: order.append(str(message))
        video.upscale(
            upscaler, source, tmp_path / "b.mp4", Size(1), observe=lambda progress: order.append(f"{progress.frame}")
        )
    assert order[0].endswith(
        "stream 1 (audio as adpcm_ms) does not fit into this container and is left out; Matroska (.mkv) holds it"
    )
    assert order[1] == "0"


def test_two_runs_give_equal_bytes(upscaler: Upscaler, tmp_path: Path) -> None:
    source = rich(tmp_path, ".mkv")
    # This is about the containers; `test_repeatability` is about the encoders.
    one = {"threads": "1"}
    codecs = {
        "mkv": VideoOptions("ffv1"),
        "mp4": VideoOptions("h264", encoder=one),
        "webm": VideoOptions("vp9", encoder=one),
    }
    for suffix, options in codecs.items():
        for name in "ab":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LossWarning)
                video.upscale(upscaler, source, tmp_path / f"{name}.{suffix}", Size(2), options)
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_a_stale_mark_of_alpha_is_left_out_and_named(upscaler: Upscaler, tmp_path: Path) -> None:
    def marked(before: Any, after: Any) -> list[Any]:
        after.streams[0].metadata["alpha_mode"] = "1"
        return []

    source = remade(make(tmp_path / "a.mkv", moving_frames(3), codec="libvpx-vp9"), tmp_path / "b.webm", marked)
    with pytest.warns(LossWarning, match="alpha"):
        video.upscale(upscaler, source, tmp_path / "c.webm", Size(1), VideoOptions("av1"))
    with av.open(str(tmp_path / "c.webm")) as container:
        assert "alpha_mode" not in container.streams[0].metadata
