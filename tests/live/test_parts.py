"""The parts of a live run that need no stream: dropped frames, the ladder, time stamps, addresses."""

from __future__ import annotations

import itertools
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import live, load
from hyperacuity.errors import UsageError
from hyperacuity.formats.video.frames import FrameFormat, PlanarFrame
from hyperacuity.live import Encoding, addresses, ladder
from hyperacuity.live.backoff import Backoff
from hyperacuity.live.encoding import low_latency_encoding, playable_format
from hyperacuity.live.enlarging import FrameEnlarger
from hyperacuity.live.ladder import Ladder, ModelCost
from hyperacuity.live.latest import LatestItem
from hyperacuity.live.statistics import Statistics
from hyperacuity.live.timeline import Timeline


def test_the_newest_item_replaces_the_waiting_one_and_is_counted() -> None:
    latest: LatestItem[int] = LatestItem()
    for n in range(5):
        latest.put(n)
    assert (latest.take(0), latest.dropped, latest.take(0)) == (4, 4, None)
    latest.put_back(5)
    latest.put_back(4)
    assert latest.dropped == 5
    latest.end()
    assert not latest.ended
    assert (latest.take(0), latest.ended, latest.take(9)) == (5, True, None)


def test_a_waiting_thread_receives_an_item_from_another() -> None:
    latest: LatestItem[int] = LatestItem()
    timer = threading.Timer(0.02, latest.put, [7])
    timer.start()
    assert latest.take(5) == 7
    timer.join()


class Load:
    """A machine with a simulated clock: a frame each 40 ms, and each rung takes its current `seconds`."""

    def __init__(self, seconds: list[float], budget: float = 0.2) -> None:
        self.seconds, self.now, self.budget = seconds, 0.0, budget
        self.ladder = Ladder(seconds, 0.04, budget)
        self.rungs: list[tuple[float, int]] = []

    def run(self, duration: float) -> int:
        """Run for some seconds and return the current rung."""
        end = self.now + duration
        while self.now < end:
            rung = self.ladder.choose(self.now)
            took = self.seconds[rung]
            frames = max(1, round(took / 0.04))
            self.now += frames * 0.04
            self.rungs.append((self.now, rung))
            self.ladder.record(self.now, rung, took, frames - 1 + (took > self.budget))
        return self.ladder.rung


def test_the_ladder_begins_with_the_best_model_that_fits() -> None:
    assert Ladder([0.1, 0.02, 0.001], 0.04, 0.2).rung == 1
    assert Ladder([0.01, 0.005], 0.04, 0.2).rung == 0
    assert Ladder([0.5, 0.1], 0.04, 0.2).rung == 1  # nothing fits: the lightest
    assert Ladder([0.02, 0.001], 0.04, 0.03).rung == 1  # in time for the next frame, and too late for the budget


def test_the_ladder_steps_down_under_load_and_back_up() -> None:
    machine = Load([0.02, 0.01, 0.001])
    assert machine.run(5) == 0
    machine.seconds[:2] = [0.12, 0.09]  # something else runs
    assert machine.run(3) in (1, 2)
    assert machine.run(3) == 2
    assert machine.run(60) == 2
    machine.seconds[:2] = [0.02, 0.01]
    machine.run(400)
    assert machine.ladder.rung == 0


def test_failed_trials_become_rarer() -> None:
    machine = Load([0.12, 0.001])
    machine.run(1000)
    trials = [when for when, rung in machine.rungs if rung == 0]
    gaps = np.diff([0.0, *trials])
    assert machine.ladder.rung == 1
    assert 4 <= len(trials) <= 8
    assert all(later > earlier * 1.5 for earlier, later in itertools.pairwise(gaps[:4]))


def test_a_single_late_frame_changes_nothing() -> None:
    rungs = Ladder([0.02, 0.001], 0.04, 0.2)
    for n in range(1000):
        rungs.record(n * 0.04, rungs.choose(n * 0.04), 0.02, int(n % 20 == 0))
    assert rungs.rung == 0


def test_each_rung_is_lighter_than_every_better_one() -> None:
    costs = [ModelCost(0, 0.04), ModelCost(1, 0.06), ModelCost(2, 0.035), ModelCost(3, 0.01), ModelCost(4, 0.002)]
    assert [cost.index for cost in ladder.select_rungs(costs)] == [0, 3, 4]


def test_hopelessly_slow_models_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {2: 0.03, 3: 0.02, 4: 0.001}  # the others are not timed
    monkeypatch.setattr(ladder, "measure", lambda compute: seconds[compute()])
    found = ladder.measure_costs([60e9, 8e9, 30e6, 80e6, 0], lambda index: index, ladder.longest_frame_time(0.04, 0.2))
    assert [cost.index for cost in found] == [2, 3, 4]


def test_automatic_candidates_are_the_zoo_and_bicubic() -> None:
    names = [upscaler.family[0].card.family for upscaler in live.automatic()]
    assert names[0] == "acute-100k"
    assert names[-1] == "bicubic"
    assert "fsrcnn" in names


def test_dropped_frames_do_not_shift_the_others() -> None:
    timeline = Timeline()
    timeline.connect(paced=False)
    places = [timeline.place(Fraction(n, 25) + 100, 3 + n / 25) for n in (0, 1, 5, 6, 30)]
    assert timeline.place(Fraction(101), 4.3) is None  # too late
    assert [place - places[0] for place in places if place and places[0]] == [Fraction(n, 25) for n in (0, 1, 5, 6, 30)]
    assert places[0] == 3
    assert timeline.shifted(Fraction(101)) == 4


def test_a_new_connection_continues_at_wall_clock_time() -> None:
    timeline = Timeline()
    timeline.connect(paced=False)
    timeline.place(Fraction(50), 0.5)
    assert timeline.place(Fraction(52), 2.5) == Fraction(5, 2)
    timeline.connect(paced=False)
    assert timeline.shifted(Fraction(0)) is None
    assert timeline.place(Fraction(7), 6.0) == 6
    assert timeline.place(Fraction(8), 7.0) == 7
    # Within a connection: a clock that restarts, and one that jumps.
    assert timeline.place(Fraction(1), 8.0) == 8
    assert timeline.place(Fraction(5000), 9.0) == 9


def test_time_stamps_never_decrease() -> None:
    timeline = Timeline()
    timeline.connect(paced=False)
    early = [timeline.place(Fraction(n), 0.1 * n) for n in range(3)]  # a burst of frames that a server had buffered
    timeline.connect(paced=False)
    later = timeline.place(Fraction(0), 0.5)
    assert later is not None
    assert early[-1] is not None
    assert later > early[-1]


def test_a_stall_and_a_burst_keep_the_clock() -> None:
    timeline = Timeline()
    timeline.connect(paced=False)
    places = [timeline.place(Fraction(n, 25), n / 25 if n < 50 else 12 + n / 1000) for n in range(300)]
    assert places == [Fraction(n, 25) for n in range(300)]
    assert not timeline.paced


def test_a_source_that_runs_ahead_is_paced() -> None:
    timeline = Timeline()
    timeline.connect(paced=False)
    waits = []
    now = 0.0
    for n in range(250):
        place = timeline.place(Fraction(n, 25), now)
        assert place is not None
        wait = timeline.early(place, now) if timeline.paced else 0.0
        waits.append(wait)
        now += wait + 0.001
    assert timeline.paced
    assert waits[:70] == [0.0] * 70
    assert all(wait == pytest.approx(0.039, abs=0.002) for wait in waits[100:])


def test_a_slightly_wrong_clock_is_still_a_camera() -> None:
    timeline = Timeline()
    timeline.connect(paced=False)
    for n in range(0, 2_000_000, 100):
        timeline.place(Fraction(n, 25), n / 25 * 0.9995)
    assert not timeline.paced
    assert timeline.period == pytest.approx(4)


def test_the_wait_doubles_until_a_connection_succeeds() -> None:
    backoff = Backoff()
    assert [backoff.failed() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    backoff.succeeded()
    assert backoff.failed() == 0.5


def test_statistics_of_the_last_seconds_and_of_the_run() -> None:
    statistics = Statistics(budget=0.1)
    for n in range(100):
        statistics.count_sent(n / 25, 0.05, "heavy")
    for n in range(100, 200):
        statistics.count_sent(n / 25, 0.25, "light")
    now, whole = statistics.status(7.96, "", 3), statistics.status(7.96, "", 3, final=True)
    assert (now.sent, now.late, now.dropped, now.models) == (200, 100, 3, {"heavy": 100, "light": 100})
    assert now.fps == pytest.approx(25, rel=0.05)
    assert whole.fps == pytest.approx(25)
    assert (now.latency, now.latency95) == (0.25, 0.25)
    assert whole.latency == pytest.approx(0.05, rel=0.01)
    assert whole.latency95 == pytest.approx(0.25, rel=0.01)
    assert statistics.status(99, "", 0).fps == 0


def test_a_source_of_another_size_is_fitted_into_the_result() -> None:
    first, wide = FrameFormat(36, 48), FrameFormat(36, 96)
    enlarger = FrameEnlarger([load("bicubic")], first, (72, 96), FrameFormat(72, 96))

    def grey(look: FrameFormat) -> PlanarFrame:
        return PlanarFrame(tuple(np.full(shape, 180 - 40 * n, np.uint8) for n, shape in enumerate(look.shapes)), 0)

    whole = enlarger.finish(enlarger.compute(grey(first), first))
    assert [plane.shape for plane in whole] == FrameFormat(72, 96).shapes
    assert {int(value) for value in np.unique(whole[0])} == {180}
    framed = enlarger.finish(enlarger.compute(grey(wide), wide))
    assert [plane.shape for plane in framed] == FrameFormat(72, 96).shapes
    assert {int(value) for value in np.unique(framed[0][18:54])} == {180}
    assert {int(value) for value in np.unique(framed[0][:18])} == {16}
    assert {int(value) for value in np.unique(framed[1][:9])} == {128}
    again = enlarger.finish(enlarger.compute(grey(FrameFormat(72, 96)), FrameFormat(72, 96)))
    assert {int(value) for value in np.unique(again[0])} == {180}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:secret@camera:554/a?token=secret", "rtsp://camera:554/a?..."),
        ("http://10.0.0.1/live.ts", "http://10.0.0.1/live.ts"),
        ("rtsp://us@er:se/cret@[::1]:554/a", "rtsp://"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    assert addresses.source(url).shown.startswith(shown)
    assert "secret" not in addresses.source(url).shown


def test_urls_may_open_only_the_protocols_they_need() -> None:
    for scheme in addresses.PROTOCOLS:
        options = addresses.source(f"{scheme}://127.0.0.1:1/a").options
        allowed = options["protocol_whitelist"].split(",")
        assert not {"file", "concat", "data", "pipe", "subfile", "fd", "cache", "async"} & set(allowed)
    assert addresses.source("-").options["protocol_whitelist"] == "none"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file:///etc/passwd", "not possible as a source"),
        ("concat:a.ts|b.ts", "not possible as a source"),
        ("data:text/plain;base64,AA", "not possible as a source"),
        ("rtspp://camera", "Did you mean 'rtsp'"),
        ("http:", "has no host"),
        ("missing.ts", "does not exist"),
        (".", "is a folder"),
        ("http://[::1", "not a valid URL"),
    ],
)
def test_invalid_sources_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        addresses.source(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("udp://host", "write udp://host:port"),
        ("tcp://host:99999", "write udp://host:port"),
        ("udp://host:5000?listen", "write udp://host:port"),
        ("udp://host:5000?ttl=900", "write udp://host:port"),
        ("srt://host:5000", "not possible as a sink"),
        ("a.avi", "written as .ts"),
        ("a.m3u", "Did you mean '.m3u8'"),
    ],
)
def test_invalid_sinks_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        addresses.sink(text)


def test_sinks_are_recognised(tmp_path: Path) -> None:
    def kind(text: str) -> Any:
        sink = addresses.sink(text)
        return sink.kind, sink.format

    assert kind("-") == ("pipe", "mpegts")
    assert kind(str(tmp_path)) == kind("hls/") == kind("hls") == kind("a.m3u8") == ("hls", "hls")
    assert kind("a.mkv") == ("file", "matroska")
    assert addresses.sink("tcp://:9000?listen").listen
    multicast = addresses.sink("udp://239.1.1.1:5000?ttl=4")
    assert (multicast.host, multicast.port, multicast.ttl) == ("239.1.1.1", 5000, 4)


@pytest.mark.parametrize(
    ("system", "text", "capture", "url", "module", "options"),
    [
        ("linux", "/dev/video0", live.CaptureOptions(), "/dev/video0", "video4linux2", {}),
        (
            "linux",
            "camera:2",
            live.CaptureOptions((720, 1280), "30"),
            "/dev/video2",
            "video4linux2",
            {"video_size": "1280x720", "framerate": "30"},
        ),
        ("darwin", "camera", live.CaptureOptions(), "0:none", "avfoundation", {"framerate": "30"}),
        (
            "darwin",
            "camera:FaceTime",
            live.CaptureOptions(rate="25"),
            "FaceTime:none",
            "avfoundation",
            {"framerate": "25"},
        ),
        ("win32", "camera:HD Webcam", live.CaptureOptions(), "video=HD Webcam", "dshow", {}),
    ],
)
def test_cameras_of_every_system(
    system: str,
    text: str,
    capture: live.CaptureOptions,
    url: str,
    module: str,
    options: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: str(path).startswith("/dev/video") or exists(path))
    source = addresses.source(text, capture)
    assert (source.kind, source.url, source.format, dict(source.options)) == ("camera", url, module, options)


def test_a_missing_camera_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"/dev/video99: no such camera; there is"):
        addresses.source("/dev/video99")
    with pytest.raises(UsageError, match="is not a camera"):
        addresses.source("http://127.0.0.1/", live.CaptureOptions(rate="30"))


def test_streams_use_formats_that_players_decode() -> None:
    webcam, grey = FrameFormat(36, 48, 10, (1, 2)), FrameFormat(36, 48, 8, None)
    assert playable_format(webcam, Encoding("h264")).pixel_format == "yuv420p"
    assert playable_format(webcam, Encoding("h265")).pixel_format == "yuv420p10le"
    assert playable_format(grey, Encoding("h264")).pixel_format == "yuv420p"


def test_encoders_do_not_look_ahead(tmp_path: Path) -> None:
    udp, file = addresses.sink("udp://127.0.0.1:1"), addresses.sink(str(tmp_path / "a.mkv"))
    chosen = low_latency_encoding(Encoding(crf=20, options={"tune": "video"}), udp)
    assert (chosen.codec, chosen.crf, chosen.preset, chosen.options["tune"]) == ("h264", 20, "superfast", "video")
    assert low_latency_encoding(Encoding("ffv1"), file).codec == "ffv1"
    with pytest.raises(UsageError, match=r"for ffv1 write an \.mkv"):
        low_latency_encoding(Encoding("ffv1"), udp)
