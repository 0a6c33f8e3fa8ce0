"""Live runs from end to end: a camera on loopback, the networks, and a consumer that plays the stream."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hyperacuity import Size, live, load
from hyperacuity.errors import Unreachable, UnsupportedFormat, UsageError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.live import LiveOptions, LiveOutput, LiveStatus, loop
from hyperacuity.live.enlarging import FrameEnlarger
from hyperacuity.live.ladder import ModelCost
from hyperacuity.live.reading import SourceReader
from hyperacuity.task import Stop
from hyperacuity.upscaler import Upscaler
from tests.live.rtsp import Server
from tests.live.streams import Camera, Consumer, played, still_running, transport
from tests.video.test_kept import sounding
from tests.video.videos import make, moving_frames, packets


@pytest.fixture(scope="module")
def bicubic() -> Upscaler:
    return load("bicubic")


@pytest.fixture(scope="module")
def acute() -> Upscaler:
    return load("acute-50k")


@pytest.fixture(scope="module")
def pieces() -> list[bytes]:
    return transport(50, sound=True)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Any:
    """None of our threads keeps running, and no file or socket stays open."""

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

    before = descriptors()
    yield
    end = time.monotonic() + 3
    while time.monotonic() < end and (descriptors() > before or any(still_running())):
        time.sleep(0.02)
    assert not list(still_running())
    assert descriptors() <= before


def free_port(kind: int) -> int:
    with socket.socket(type=kind) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def states(seen: list[str]) -> Any:
    def watch(status: LiveStatus) -> None:
        if not seen or seen[-1] != status.state:
            seen.append(status.state)

    return watch


def even(times: list[float], step: float = 0.04) -> bool:
    """Whether all times lie on one grid, up to the millisecond by which clocks may differ."""
    return all(abs(time / step - round(time / step)) * step < 0.002 for time in times)


def test_a_stream_is_enlarged_in_time_and_with_its_sound(bicubic: Upscaler, pieces: list[bytes]) -> None:
    with Camera(pieces) as camera, Consumer() as consumer:
        status = live.run(
            [bicubic], live.source(camera.url), live.sink(consumer.url), Size(2), LiveOptions(duration=1.2)
        )
        assert camera.connections == 1
    frames, times, sounds = played(consumer.received[0])
    assert status.sent == len(frames) > 8
    assert status.arrived >= status.sent
    assert (status.before, status.after, status.models) == ((36, 48), (72, 96), {"bicubic": status.sent})
    assert 0 < status.latency <= status.latency95
    assert frames[0].shape == (72, 96, 3)
    small = min(np.abs(frames[0].reshape(36, 2, 48, 2, 3).mean((1, 3)) - pixels).mean() for pixels in moving_frames(50))
    assert small < 12  # chroma is coarse
    assert even(times)
    assert sounds > 8


def test_a_lost_source_is_reconnected_on_the_same_clock(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    seen: list[str] = []
    with Camera(pieces, {"cut": 15}, {}) as camera:
        sink = live.sink(str(tmp_path / "a.ts"))
        status = live.run(
            [bicubic], live.source(camera.url), sink, Size(2), LiveOptions(duration=1.8), observe=states(seen)
        )
        assert camera.connections == 2
    assert status.reconnects == 1
    assert any("trying again in 0.5 s" in state for state in seen)
    _, times, sounds = played(tmp_path / "a.ts")
    gap = max(np.diff(times))
    assert 0.4 < gap < 2  # elapsed wall-clock time
    assert times[-1] == pytest.approx(1.8, abs=0.8)
    assert sounds > 8


def test_a_silent_source_is_reconnected(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    seen: list[str] = []
    with Camera(pieces, {"stall": 10}, {}) as camera:
        status = live.run(
            [bicubic],
            live.source(camera.url),
            live.sink(str(tmp_path / "a.mkv")),
            Size(2),
            LiveOptions(duration=1.8, timeout=0.4),
            observe=states(seen),
        )
        assert camera.connections == 2
    assert status.reconnects == 1
    assert any("nothing came for 0.4 s" in state for state in seen)
    assert played(tmp_path / "a.mkv")[1][-1] > 0.5


def test_a_lost_source_is_a_discontinuity_in_hls(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    output = LiveOutput(live.Encoding(), keys=Fraction(1, 2), segments=0)
    seen: set[str] = set()

    def watch(status: LiveStatus) -> None:
        with contextlib.suppress(OSError):
            seen.update(line for line in (tmp_path / "hls/index.m3u8").read_text().splitlines() if "EXTINF" not in line)

    with Camera(pieces, {"cut": 20}, {}) as camera:
        sink = live.sink(f"{tmp_path}/hls/")
        live.run([bicubic], live.source(camera.url), sink, Size(2), LiveOptions(output, duration=2.6), observe=watch)
    lines = (tmp_path / "hls/index.m3u8").read_text().splitlines()
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert lines.count("#EXT-X-ENDLIST") == 1
    lengths = [float(line.partition(":")[2].rstrip(",")) for line in lines if line.startswith("#EXTINF")]
    assert max(lengths) <= 1
    assert lines.index("#EXT-X-DISCONTINUITY") > lines.index("index-000000.ts")
    assert len([line for line in lines if line.endswith(".ts")]) == len(lengths) >= 3
    assert {line for line in seen | set(lines) if "TARGETDURATION" in line} == {"#EXT-X-TARGETDURATION:1"}
    assert played(tmp_path / "hls/index.m3u8")[0]


@pytest.mark.parametrize("codec", ["adpcm_ms", "pcm_alaw", "pcm_s24le"])
def test_a_recording_keeps_sound_of_other_containers(codec: str, bicubic: Upscaler, tmp_path: Path) -> None:
    source = sounding(tmp_path / "a.avi", codec, 40)
    options = LiveOptions(LiveOutput(live.Encoding()))
    live.run([bicubic], live.source(str(source)), live.sink(str(tmp_path / "b.mkv")), Size(2), options)
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert container.streams.audio[0].codec_context.name == codec
    assert len(packets(tmp_path / "b.mkv", "audio")[0]) >= 5


@pytest.mark.slow
def test_a_source_lost_for_too_long_ends_the_run(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    with Camera(pieces, {"cut": 10}, {"cut": 0}) as camera, pytest.raises(Unreachable, match="no frame for 1 s"):
        live.run(
            [bicubic], live.source(camera.url), live.sink(str(tmp_path / "a.ts")), Size(2), LiveOptions(give_up=1.0)
        )
    assert len(played(tmp_path / "a.ts")[0]) > 3


def test_it_stops_while_no_frame_arrives(bicubic: Upscaler, tmp_path: Path) -> None:
    stop = Stop()
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    status = live.run(
        [bicubic],
        live.source("tcp://127.0.0.1:1"),
        live.sink(str(tmp_path / "a.ts")),
        Size(2),
        stop=stop,
    )
    assert time.monotonic() - begin < 1.5
    assert status.sent == 0
    assert not (tmp_path / "a.ts").exists()


@pytest.mark.slow
def test_a_hanging_device_blocks_nothing_else(
    bicubic: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like a driver that hangs: no timeout interrupts it."""
    answers = threading.Event()
    opened = []

    def hang(reader: SourceReader, file: Any) -> Any:
        opened.append(threading.current_thread())
        answers.wait(30)
        raise Unreachable("it was unplugged")

    monkeypatch.setattr(SourceReader, "_open", hang)
    begin = time.monotonic()
    with pytest.raises(Unreachable, match=r"no frame for 0\.3 s; connecting to"):
        live.run(
            [bicubic],
            live.source("tcp://127.0.0.1:1"),
            live.sink(str(tmp_path / "a.ts")),
            Size(2),
            LiveOptions(give_up=0.3, timeout=0.1),
        )
    assert time.monotonic() - begin < 2
    assert len(opened) == 1  # no further attempts queue up behind it
    answers.set()
    opened[0].join(2)
    assert not opened[0].is_alive()


class Slow(Upscaler):
    """Takes its time."""

    def __init__(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        bicubic = load("bicubic")
        self.__dict__ |= bicubic.__dict__
        compute = FrameEnlarger.compute

        def slowly(enlarger: FrameEnlarger, *arguments: Any) -> Any:
            time.sleep(seconds)
            return compute(enlarger, *arguments)

        monkeypatch.setattr(FrameEnlarger, "compute", slowly)


def test_a_slow_model_drops_frames_and_keeps_time(
    pieces: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(0.1, monkeypatch)
    with Camera(pieces) as camera:
        sink = live.sink(str(tmp_path / "a.ts"))
        status = live.run([slow], live.source(camera.url), sink, Size(2), LiveOptions(duration=1.2, latency=0.05))
    assert 2 <= status.sent <= 14
    assert status.arrived - 2 <= status.sent + status.dropped <= status.arrived
    assert status.late == status.sent
    assert 0.1 <= status.latency <= status.latency95 < 0.6  # and it does not grow from frame to frame
    _, times, _ = played(tmp_path / "a.ts")
    assert len(times) == status.sent
    assert even(times)
    assert times[-1] == pytest.approx(1.2, abs=0.6)


@pytest.mark.slow
def test_a_lighter_model_takes_over(
    acute: Upscaler, bicubic: Upscaler, pieces: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "measure_costs", lambda *_: [ModelCost(0, 0.02), ModelCost(1, 0.001)])
    compute = FrameEnlarger.compute

    def slowly(self: FrameEnlarger, frame: Any, look: Any, rung: int) -> Any:
        time.sleep(0.12 * (rung == 0))
        return compute(self, frame, look, rung)

    monkeypatch.setattr(FrameEnlarger, "compute", slowly)
    models: list[str] = []
    with Camera(pieces) as camera:
        status = live.run(
            [acute, bicubic],
            live.source(camera.url),
            live.sink(str(tmp_path / "a.ts")),
            Size(2),
            LiveOptions(duration=4),
            observe=lambda status: models.append(status.model),
        )
    assert list(dict.fromkeys(model for model in models if model)) == ["acute-50k-x2", "bicubic"]
    assert status.models["bicubic"] > status.models["acute-50k-x2"] > 0


@pytest.mark.slow
def test_a_consumer_may_disconnect_and_return(bicubic: Upscaler, pieces: list[bytes]) -> None:
    seen: list[str] = []
    left: list[int] = []
    with Camera(pieces) as camera, Consumer() as consumer:

        def watch(status: LiveStatus) -> None:
            states(seen)(status)
            if status.sent >= 12 and not left:
                left.append(status.sent)
                consumer.hang_up()

        status = live.run(
            [bicubic], live.source(camera.url), live.sink(consumer.url), Size(2), LiveOptions(duration=2), observe=watch
        )
    assert status.sink_reconnects == 1
    assert len(consumer.received) == 2
    for data in consumer.received:
        assert len(played(data)[0]) > 8


@pytest.mark.slow
@pytest.mark.parametrize("delay", [10, 40])
def test_it_stops_while_it_waits_for_a_consumer(delay: int, bicubic: Upscaler, pieces: list[bytes]) -> None:
    stop = Stop()
    with Camera(pieces) as camera, Consumer() as consumer:

        def watch(status: LiveStatus) -> None:
            if status.sent >= 8 and len(consumer.received) == 1:
                consumer.__exit__()
            if status.sink_reconnects:
                threading.Timer(delay / 100, stop.set).start()

        sink = live.sink(consumer.url)
        status = live.run([bicubic], live.source(camera.url), sink, Size(2), stop=stop, observe=watch)
    assert status.sink_reconnects == 1


@pytest.mark.slow
def test_every_consumer_that_connects_is_served(bicubic: Upscaler, pieces: list[bytes]) -> None:
    port = free_port(socket.SOCK_STREAM)
    seen: list[str] = []
    received = b""

    def listen() -> None:
        nonlocal received
        time.sleep(0.8)
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            while data := connection.recv(1 << 16):
                received += data

    thread = threading.Thread(target=listen)
    thread.start()
    with Camera(pieces) as camera:
        sink = live.sink(f"tcp://127.0.0.1:{port}?listen")
        live.run([bicubic], live.source(camera.url), sink, Size(2), LiveOptions(duration=1.6), observe=states(seen))
    thread.join()
    assert f"waiting for a consumer at tcp://127.0.0.1:{port}" in seen
    frames, _, _ = played(received)
    assert len(frames) > 8


def test_datagrams_hold_whole_packets(bicubic: Upscaler, pieces: list[bytes]) -> None:
    with Camera(pieces) as camera, Consumer("udp") as consumer:
        live.run([bicubic], live.source(camera.url), live.sink(consumer.url), Size(2), LiveOptions(duration=0.5))
        time.sleep(0.1)
    data = consumer.received[0]
    assert len(data) % 188 == 0
    assert set(data[::188]) == {0x47}
    assert len(played(data)[0]) > 8


def test_hls_writes_a_playable_playlist(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    output = LiveOutput(live.Encoding(), keys=Fraction(1, 2), segments=2)
    sink = live.sink(f"{tmp_path}/hls/")
    with Camera(pieces) as camera:
        status = live.run([bicubic], live.source(camera.url), sink, Size(2), LiveOptions(output, duration=1.9))
    lines = (tmp_path / "hls/index.m3u8").read_text().splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[-1] == "#EXT-X-ENDLIST"
    lengths = [float(line.partition(":")[2].rstrip(",")) for line in lines if line.startswith("#EXTINF")]
    assert lengths[0] == pytest.approx(0.5, abs=0.2)
    listed = [line for line in lines if line.endswith(".ts")]
    assert len(listed) == len(lengths) == 2
    assert set(listed) <= {path.name for path in (tmp_path / "hls").iterdir()}
    assert len(list((tmp_path / "hls").iterdir())) <= 4  # old ones are deleted
    frames, times, sounds = played(tmp_path / "hls/index.m3u8")
    assert 0 < len(frames) <= status.sent
    assert even(times)
    assert sounds
    for name in listed:  # each begins with a key frame and holds the decoder's headers
        assert played((tmp_path / "hls" / name).read_bytes())[0]
    with pytest.raises(UsageError, match="exists"):
        live.run([bicubic], live.source(camera.url), sink, Size(2))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "h264"), ("a.mkv", "ffv1"), ("a.webm", "auto")])
def test_files_are_complete(name: str, codec: str, bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    settings = LiveOptions(LiveOutput(live.Encoding(codec)), duration=0.6)
    expected: Any = (
        contextlib.nullcontext() if name != "a.webm" else pytest.warns(LossWarning, match="cannot hold mp2 sound")
    )
    with Camera(pieces) as camera, expected:
        status = live.run([bicubic], live.source(camera.url), live.sink(str(tmp_path / name)), Size(2), settings)
    frames, times, sounds = played(tmp_path / name)
    assert len(frames) == status.sent > 3
    assert even(times)
    assert (sounds > 0) == (name != "a.webm")


@pytest.mark.slow
def test_a_file_is_read_in_real_time_to_its_end(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(b"".join(pieces[:25]))
    begin = time.monotonic()
    status = live.run(
        [bicubic], live.source(str(tmp_path / "a.ts")), live.sink(str(tmp_path / "b.mkv")), Size(2), LiveOptions()
    )
    assert 0.9 < time.monotonic() - begin < 2
    assert (status.sent, status.dropped) == (25, 0)


@pytest.mark.slow
def test_a_pipe_is_a_source(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def feed() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            for piece in pieces[:25]:
                pipe.write(piece)
                time.sleep(0.04)

    thread = threading.Thread(target=feed)
    thread.start()
    status = live.run(
        [bicubic], live.source(str(tmp_path / "pipe")), live.sink(str(tmp_path / "b.mkv")), Size(2), LiveOptions()
    )
    thread.join()
    assert status.arrived == 25
    assert status.sent + status.dropped == 25


@pytest.mark.slow
def test_a_recording_behind_a_url_is_paced(bicubic: Upscaler, tmp_path: Path) -> None:
    pieces = transport(100)
    with Camera(pieces, {"cut": 100}, interval=0) as camera:
        status = live.run([bicubic], live.source(camera.url), live.sink(str(tmp_path / "a.ts")), Size(2), LiveOptions())
        assert camera.connections == 1  # it has ended and is not started again
    assert status.arrived == 100
    assert status.sent >= 24  # of the last second


def test_rtsp(bicubic: Upscaler, tmp_path: Path) -> None:
    with Server("secret") as server:
        source = live.source(f"rtsp://user:secret@{server.address}")
        live.run([bicubic], source, live.sink(str(tmp_path / "a.ts")), Size(2), LiveOptions(duration=0.8))
        wrong = live.source(f"rtsp://user:guess@{server.address}")
        with pytest.raises(UsageError, match="refuses this user and password") as error:
            live.run([bicubic], wrong, live.sink(str(tmp_path / "b.ts")), Size(2), LiveOptions())
    assert "guess" not in str(error.value)
    frames, times, _ = played(tmp_path / "a.ts")
    assert len(frames) > 10
    settled = times[5:]  # the first RTCP report may shift earlier frames
    assert even([time - settled[0] for time in settled])


@pytest.mark.slow
def test_reordered_frames_are_shown_in_display_order(bicubic: Upscaler, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", moving_frames(30), codec="libx264")
    status = live.run([bicubic], live.source(str(source)), live.sink(str(tmp_path / "b.mkv")), Size(2), LiveOptions())
    assert (status.sent, status.damaged) == (30, 0)
    assert even(played(tmp_path / "b.mkv")[1])
    with pytest.raises(UsageError, match="is the source"):
        live.run([bicubic], live.source(str(source)), live.sink(str(source)), Size(2), LiveOptions(force=True))


@pytest.mark.slow
def test_interlaced_sources_warn_or_are_deinterlaced(bicubic: Upscaler, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.ts"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
        for n, pixels in enumerate(moving_frames(20, 64, 96)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source, sink = live.source(str(tmp_path / "a.ts")), live.sink(str(tmp_path / "b.mkv"))
    with pytest.warns(LossWarning, match="is interlaced: use deinterlace=True"):
        live.run([bicubic], source, sink, Size(2), LiveOptions())
    status = live.run([bicubic], source, sink, Size(2), LiveOptions(deinterlace=True, force=True))
    assert status.sent == 20
    times = played(tmp_path / "b.mkv")[1]
    assert even(times)
    assert times[-1] == pytest.approx(19 / 25, abs=0.002)


def test_a_rotation_that_is_not_kept_is_named(bicubic: Upscaler, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        stream.set_display_rotation(90)
        for n, pixels in enumerate(moving_frames(4, 32, 48)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source, sink = live.source(str(tmp_path / "a.mp4")), live.sink(str(tmp_path / "b.mkv"))
    with pytest.warns(LossWarning, match="stored, not turned 270 degrees clockwise"):
        live.run([bicubic], source, sink, Size(2), LiveOptions())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_one_run_can_be_the_source_of_another(
    kind: str, bicubic: Upscaler, pieces: list[bytes], tmp_path: Path
) -> None:
    port = free_port(socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    sink = live.sink(f"{kind}://127.0.0.1:{port}" + "?listen" * (kind == "tcp"))
    source = live.source(f"{kind}://127.0.0.1:{port}")
    stop = Stop()
    with Camera(pieces) as camera:
        arguments = [bicubic], live.source(camera.url), sink, Size(2)
        thread = threading.Thread(target=live.run, args=arguments, kwargs={"stop": stop})
        thread.start()
        second = live.run([bicubic], source, live.sink(str(tmp_path / "b.ts")), Size(2), LiveOptions(duration=1.5))
        stop.set()
        thread.join()
    assert (second.before, second.after) == ((72, 96), (144, 192))
    frames, times, sounds = played(tmp_path / "b.ts")
    assert second.sent == len(frames) > 8
    assert even(times)
    assert sounds > 8


@pytest.mark.slow
def test_hls_is_a_source(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    """Its frames arrive a segment at a time and are shown in real time."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "hls"))

        def log_message(self, *_: object) -> None:
            pass

    output = LiveOutput(live.Encoding(), keys=Fraction(1, 2), segments=0)
    stop = Stop()
    with Camera(pieces) as camera, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}),
            threading.Thread(
                target=live.run,
                args=([bicubic], live.source(camera.url), live.sink(f"{tmp_path}/hls/"), Size(2), LiveOptions(output)),
                kwargs={"stop": stop},
            ),
        ]
        for thread in threads:
            thread.start()
        time.sleep(2.5)
        source = live.source(f"http://127.0.0.1:{server.server_address[1]}/index.m3u8")
        status = live.run([bicubic], source, live.sink(str(tmp_path / "b.ts")), Size(2), LiveOptions(duration=3))
        stop.set()
        server.shutdown()
        for thread in threads:
            thread.join()
    assert status.reconnects == 0
    assert status.sent > 2 * status.dropped
    _, times, _ = played(tmp_path / "b.ts")
    assert even(times)
    assert len(times) == pytest.approx(75, abs=40)


@pytest.mark.slow
def test_a_change_of_size_keeps_the_size_of_the_result(bicubic: Upscaler, tmp_path: Path) -> None:
    small, wide = transport(20), transport(20, 36, 96, start=20)
    with Camera(small + wide) as camera:
        sink = live.sink(str(tmp_path / "a.ts"))
        with pytest.warns(LossWarning, match="its frames are 96x36 instead of 48x36; .* with black bars") as warned:
            live.run([bicubic], live.source(camera.url), sink, Size(2), LiveOptions(duration=1.2))
    assert len(warned) == 1
    frames, _, _ = played(tmp_path / "a.ts")
    assert {frame.shape for frame in frames} == {(72, 96, 3)}
    black = [bool(frame[:16].max() < 24) for frame in frames]
    assert black[0] is False
    assert any(black)


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"


def test_a_hostile_playlist_reads_no_local_file(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes(b"".join(pieces))
    (tmp_path / "list.m3u8").write_text(PLAYLIST.format(secret))
    hostile = PLAYLIST.format(secret.as_uri()).encode()
    concat = f"ffconcat version 1.0\nfile '{secret}'\n".encode()

    def refused(source: live.LiveSource) -> None:
        sink = live.sink(str(tmp_path / "a.ts"))
        with pytest.raises((UsageError, Unreachable)):
            live.run([bicubic], source, sink, Size(2), LiveOptions(give_up=0.6))

    for content in (hostile, concat):
        with Camera([content], {"cut": 1, "length": len(content)}, interval=0) as camera:
            refused(live.source(camera.url.replace("live.ts", "list.m3u8")))
    refused(live.source(str(tmp_path / "list.m3u8")))
    assert not (tmp_path / "a.ts").exists()


def test_a_source_without_video_is_an_error(bicubic: Upscaler, tmp_path: Path) -> None:
    page = b"<html>" + b"nothing here " * 1000
    fault = {"cut": 1, "length": len(page)}
    with Camera([page], fault, interval=0) as camera, pytest.raises(UnsupportedFormat, match="no video"):
        live.run([bicubic], live.source(camera.url), live.sink(str(tmp_path / "a.ts")), Size(2), LiveOptions())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full disk")
def test_a_full_disk_is_an_error(bicubic: Upscaler, pieces: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "a.ts").symlink_to("/dev/full")
    sink, settings = live.sink(str(tmp_path / "a.ts")), LiveOptions(duration=2, force=True)
    with Camera(pieces) as camera, pytest.raises(UsageError, match="disk is full"):
        live.run([bicubic], live.source(camera.url), sink, Size(2), settings)


def test_a_file_without_times_of_presentation_is_played_at_its_own_rate(bicubic: Upscaler, tmp_path: Path) -> None:
    """AVI has only the order of decoding, and raw H.264 no time at all."""
    for name in ("a.avi", "a.h264"):
        with av.open(str(tmp_path / name), "w") as container:
            stream: Any = container.add_stream("libx264", rate=25, options={"bf": "2"})
            stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
            for n in range(20):
                grey = np.full((36, 48, 3), 8 * n, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            container.mux(stream.encode(None))
        sink = live.sink(str(tmp_path / "b.mkv"))
        status = live.run([bicubic], live.source(str(tmp_path / name)), sink, Size(1), LiveOptions(force=True))
        with av.open(str(tmp_path / "b.mkv")) as container:
            times = [frame.time for frame in container.decode(video=0)]
        assert len(times) + status.dropped == 20
        assert times[-1] - times[0] == pytest.approx(0.76, abs=0.05)
