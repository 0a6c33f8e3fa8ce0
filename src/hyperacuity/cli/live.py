"""`hyperacuity live`: cameras and streams, made larger while they run."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperacuity.cli.values import seconds, texts
from hyperacuity.errors import UsageError
from hyperacuity.task import Stop

if TYPE_CHECKING:
    from hyperacuity.live import LiveStatus

# Where nobody watches, a line so often, in seconds.
_EVERY = 30.0

SOURCE, SIZE, MODEL, SINK, TIME = "Source", "Size", "Model", "Sink", "Time"


def command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A camera (/dev/video0, camera:1), a URL, a file, or - for a pipe.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="SINK",
            help="udp://HOST:PORT, tcp://HOST:PORT[?listen], a folder for HLS, a file, or - for a pipe.",
            rich_help_panel=SINK,
        ),
    ],
    latency: Annotated[
        str, typer.Option(help="From a frame's arrival to the sink; more is late.", rich_help_panel=TIME)
    ] = "200ms",
    timeout: Annotated[
        str, typer.Option(help="After so long without a frame, connect anew.", rich_help_panel=TIME)
    ] = "5s",
    give_up: Annotated[
        str | None, typer.Option(help="After so long without a frame, end with an error.", rich_help_panel=TIME)
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="End after so long: 90, 10min, 1:30:00.", rich_help_panel=TIME)
    ] = None,
    scale: Annotated[
        float | None, typer.Option("-s", "--scale", help="2 if no size is given.", rich_help_panel=SIZE)
    ] = None,
    width: Annotated[int | None, typer.Option(help="Final width in pixels.", rich_help_panel=SIZE)] = None,
    height: Annotated[int | None, typer.Option(help="Final height in pixels.", rich_help_panel=SIZE)] = None,
    megapixels: Annotated[float | None, typer.Option(help="Final area, such as 2.", rich_help_panel=SIZE)] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--model",
            "--model-name",
            help="A name from `hyperacuity models`; auto = the best that keeps up.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    model_path: Annotated[
        Path | None, typer.Option("-m", "--model-path", help="A model file instead.", rich_help_panel=MODEL)
    ] = None,
    engine: Annotated[
        str, typer.Option(help="auto, onnxruntime, openvino, ncnn, pytorch.", rich_help_panel=MODEL)
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=MODEL)] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16, bf16, int8.", rich_help_panel=MODEL)] = "auto",
    capture_size: Annotated[
        str | None, typer.Option(help="What a camera is asked for: 1280x720.", rich_help_panel=SOURCE)
    ] = None,
    capture_rate: Annotated[
        str | None, typer.Option(help="Frames per second that it is asked for.", rich_help_panel=SOURCE)
    ] = None,
    source_options: Annotated[
        list[str] | None,
        typer.Option(
            "--source-option",
            metavar="KEY=VALUE",
            help="More for FFmpeg: rtsp_transport=udp.",
            rich_help_panel=SOURCE,
        ),
    ] = None,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make whole frames of fields.", rich_help_panel=SOURCE)
    ] = False,
    no_sound: Annotated[
        bool, typer.Option("--no-sound", help="Leave out the source's sound.", rich_help_panel=SINK)
    ] = False,
    codec: Annotated[
        str | None, typer.Option(help="h264, h265; in files av1 and ffv1 too.", rich_help_panel=SINK)
    ] = None,
    crf: Annotated[
        float | None, typer.Option(help="Quality, the codec's own scale: less is better.", rich_help_panel=SINK)
    ] = None,
    preset: Annotated[str | None, typer.Option(help="The codec's speed.", rich_help_panel=SINK)] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("-e", metavar="KEY=VALUE", help="More for the codec: tune=film.", rich_help_panel=SINK),
    ] = None,
    keys: Annotated[
        str, typer.Option(help="Between key frames; the length of HLS segments.", rich_help_panel=SINK)
    ] = "2s",
    segments: Annotated[
        int, typer.Option(min=0, help="How many an HLS playlist lists; 0 = all.", rich_help_panel=SINK)
    ] = 6,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a file or an HLS playlist.", rich_help_panel=SINK)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary for programs at the end.", rich_help_panel=SINK)
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.", rich_help_panel=SINK)] = False,
) -> None:
    """Make a camera or a stream larger while it runs.

    Ctrl-C ends it, and the sink properly.

    hyperacuity live /dev/video0 -o hls/                               for browsers
    hyperacuity live rtsp://camera/stream -o udp://239.1.1.1:5000      for players and recorders
    hyperacuity live http://host/live.ts -n auto -o 'tcp://:9000?listen'
    ffmpeg ... -f mpegts - | hyperacuity live - -o - | ffplay -        in a pipe
    """
    from hyperacuity import api, live
    from hyperacuity.live.addresses import PIPE
    from hyperacuity.size import Size

    if model is not None and model_path is not None:
        raise UsageError("give a model by name (-n) or by file (-m), not both")
    _check_pipes(source == PIPE, output == PIPE)
    further = texts(encoder or [], "tune=film", option="-e")
    for_source = texts(source_options or [], "rtsp_transport=udp", option="--source-option")
    chosen = live.LiveOptions(
        live.LiveOutput(live.Encoding(codec or "auto", crf, preset, further), seconds("--keys", keys), segments),
        latency=float(seconds("--latency", latency)),
        timeout=float(seconds("--timeout", timeout)),
        give_up=None if give_up is None else float(seconds("--give-up", give_up)),
        duration=None if duration is None else float(seconds("--duration", duration)),
        sound=not no_sound,
        deinterlace=deinterlace,
        force=force,
    )
    capture = live.CaptureOptions(_sides(capture_size), capture_rate)
    opened = live.source(source, capture, for_source)
    sink = live.sink(output)
    machine: dict[str, Any] = {"engine": engine, "device": device, "precision": precision}
    upscalers = live.automatic(**machine) if model == "auto" else [api.load(model_path or model, **machine)]
    talk = _Talk(quiet=quiet or as_json)
    with _stopping() as stop, talk.shown():
        status = live.run(
            upscalers,
            opened,
            sink,
            Size(scale, width, height, megapixels),
            chosen,
            stop=stop,
            observe=talk.observe,
        )
    talk.end(status)
    if as_json:
        # A pipe for the result is no place for anything else.
        print(json.dumps(_record(status), indent=2), file=sys.stderr if output == PIPE else sys.stdout)


def _check_pipes(reading: bool, writing: bool) -> None:
    if reading and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("standard input is no pipe: put a program before it, or name a source")
    if writing and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageError("standard output is no pipe: put a player after it, or name a sink with -o")


def _sides(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", text, re.ASCII)
    if match is None:
        raise UsageError(f"--capture-size {text}: write WIDTHxHEIGHT, such as 1280x720")
    return int(match[2]), int(match[1])


@contextmanager
def _stopping() -> Iterator[Stop]:
    """An event that Ctrl-C and `kill` set: whoever ends a stream wants it ended well. The second time is meant."""
    stop = Stop()

    def ask(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _record(status: LiveStatus) -> dict[str, Any]:
    """For `--json`; sizes are (width, height), times seconds."""
    return {
        "input_size": status.before[::-1],
        "output_size": status.after[::-1],
        "seconds": round(status.seconds, 3),
        "arrived": status.arrived,
        "sent": status.sent,
        "dropped": status.dropped,
        "late": status.late,
        "damaged": status.damaged,
        "reconnects": status.reconnects,
        "sink_reconnects": status.sink_reconnects,
        "frames_per_second": round(status.fps, 2),
        "latency": round(status.latency, 4),
        "latency_95": round(status.latency95, 4),
        "models": status.models,
    }


class _Talk:
    """What a person sees, on standard error: one line that changes, and a line for whatever happens."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or sys.stderr is None
        self._console: Any = None
        self._line: Any = None
        self._state = self._model = ""
        self._told = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        from hyperacuity.formats import LossWarning
        from hyperacuity.pipeline import PrecisionWarning

        with warnings.catch_warnings():
            for category in (LossWarning, PrecisionWarning):
                warnings.simplefilter("always", category)
            warnings.showwarning = lambda message, *_, **__: self._say(f"warning: {message}")
            if not self._quiet and sys.stderr.isatty():
                from rich.console import Console

                self._console = Console(stderr=True)
                self._line = self._console.status("", spinner="dots", refresh_per_second=4)
            with self._line or nullcontext():
                yield
            self._line = None

    def observe(self, status: LiveStatus) -> None:
        if self._quiet:
            return
        if status.state != self._state:
            self._say(status.state or ("running again" if self._model else ""))
            self._state = status.state
        if status.model != self._model and status.model:
            if self._model:
                self._say(f"{self._model} -> {status.model}")
            else:
                self._say(f"{_times(status.before)} -> {_times(status.after)}  {status.model}")
            self._model = status.model
        if self._line is not None:
            from rich.markup import escape

            self._line.update(escape(_line(status)))
        elif status.seconds - self._told >= _EVERY:
            self._told = status.seconds
            self._say(_line(status))

    def end(self, status: LiveStatus) -> None:
        if not self._quiet:
            self._say(_line(status))

    def _say(self, text: str) -> None:
        if not text or sys.stderr is None:
            return
        if self._line is not None:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command line is what may print


def _times(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _line(status: LiveStatus) -> str:
    said = [
        f"{status.sent} frames",
        f"{status.fps:.1f} a second",
        f"latency {1e3 * status.latency:.0f} ms, 95 %: {1e3 * status.latency95:.0f} ms",
        f"{status.dropped} dropped",
    ]
    counts = {"late": status.late, "damaged": status.damaged}
    said += [f"{count} {name}" for name, count in counts.items() if count]
    lost = {"source": status.reconnects, "sink": status.sink_reconnects}
    said += [f"{name} lost: {count}" for name, count in lost.items() if count]
    return ", ".join([*said, status.model] if status.model else said)
