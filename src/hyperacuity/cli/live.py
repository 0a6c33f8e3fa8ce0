"""`hyperacuity live`: cameras and streams, enlarged while they run."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperacuity.cli import options as shared
from hyperacuity.cli.interruption import interruptible
from hyperacuity.cli.options import (
    MODEL,
    Crf,
    Deinterlace,
    Device,
    Encoder,
    Engine,
    Force,
    Height,
    Json,
    Megapixels,
    ModelPath,
    Precision,
    Preset,
    Quiet,
    Scale,
    Width,
)
from hyperacuity.cli.values import seconds, texts
from hyperacuity.cli.wording import describe
from hyperacuity.counting import counted
from hyperacuity.errors import UsageError

if TYPE_CHECKING:
    from hyperacuity.live import LiveStatus

# Seconds between lines where standard error is not a terminal.
_EVERY = 30.0

SOURCE, SINK, TIME = "Source", "Sink", "Time"


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
        str, typer.Option(help="Longest time from a frame's arrival to the sink.", rich_help_panel=TIME)
    ] = "200ms",
    timeout: Annotated[
        str, typer.Option(help="Reconnect after this time without a frame.", rich_help_panel=TIME)
    ] = "5s",
    give_up: Annotated[
        str | None, typer.Option(help="End with an error after this time without a frame.", rich_help_panel=TIME)
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="End after this time: 90, 10min, 1:30:00.", rich_help_panel=TIME)
    ] = None,
    scale: Scale = None,
    width: Width = None,
    height: Height = None,
    megapixels: Megapixels = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--model",
            "--model-name",
            help="A name from `hyperacuity models`; auto = the best model that is fast enough.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    model_path: ModelPath = None,
    engine: Engine = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    capture_size: Annotated[
        str | None, typer.Option(help="Size to request from a camera: 1280x720.", rich_help_panel=SOURCE)
    ] = None,
    capture_rate: Annotated[
        str | None, typer.Option(help="Frames per second to request from a camera.", rich_help_panel=SOURCE)
    ] = None,
    source_options: Annotated[
        list[str] | None,
        typer.Option(
            "--source-option",
            metavar="KEY=VALUE",
            help="More options for FFmpeg: rtsp_transport=udp.",
            rich_help_panel=SOURCE,
        ),
    ] = None,
    deinterlace: Deinterlace = False,
    no_sound: Annotated[
        bool, typer.Option("--no-sound", help="Leave out the sound of the source.", rich_help_panel=SINK)
    ] = False,
    codec: Annotated[
        str | None, typer.Option(help="h264, h265; in files also av1, vp9 and ffv1.", rich_help_panel=SINK)
    ] = None,
    crf: Crf = None,
    preset: Preset = None,
    encoder: Encoder = None,
    keys: Annotated[
        str, typer.Option(help="Time between key frames; the length of HLS segments.", rich_help_panel=SINK)
    ] = "2s",
    segments: Annotated[
        int, typer.Option(min=0, help="Number of segments in an HLS playlist; 0 = all.", rich_help_panel=SINK)
    ] = 6,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a camera or a stream larger while it runs.

    Ctrl-C ends it and completes what the sink holds.

    hyperacuity live /dev/video0 -o hls/                               for browsers
    hyperacuity live rtsp://camera/stream -o udp://239.1.1.1:5000      for players and recorders
    hyperacuity live http://host/live.ts -n auto -o 'tcp://:9000?listen'
    ffmpeg ... -f mpegts - | hyperacuity live - -o - | ffplay -        in a pipe
    """
    from hyperacuity import api, live
    from hyperacuity.live.addresses import PIPE
    from hyperacuity.size import Size

    shared.check_model(model, model_path)
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
    machine: dict[str, Any] = {
        "engine": engine,
        "device": device,
        "precision": shared.read_precision(precision),
    }
    upscalers = live.automatic(**machine) if model == "auto" else [api.load(model_path or model, **machine)]
    display = _LiveDisplay(quiet=quiet or as_json)
    with interruptible() as interruption, display.shown():
        status = live.run(
            upscalers,
            opened,
            sink,
            Size(scale, width, height, megapixels),
            chosen,
            stop=interruption.stop,
            observe=display.observe,
        )
    display.end(status)
    if as_json:
        # The pipe of the result must carry nothing else.
        print(json.dumps(_record(status), indent=2), file=sys.stderr if output == PIPE else sys.stdout)


def _check_pipes(reading: bool, writing: bool) -> None:
    if reading and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("standard input is not a pipe: put a program before it, or name a source")
    if writing and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageError("standard output is not a pipe: put a player after it, or name a sink with -o")


def _sides(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", text, re.ASCII)
    if match is None:
        raise UsageError(f"--capture-size {text}: write WIDTHxHEIGHT, such as 1280x720")
    return int(match[2]), int(match[1])


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


class _LiveDisplay:
    """Displays a run on standard error: a status line, and a line for each event."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or sys.stderr is None
        self._console: Any = None
        self._line: Any = None
        self._state = self._model = ""
        self._printed = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        from hyperacuity.formats import LossWarning
        from hyperacuity.pipeline import PrecisionWarning

        with warnings.catch_warnings():
            for category in (LossWarning, PrecisionWarning):
                warnings.simplefilter("always", category)
            warnings.showwarning = lambda message, *_, **__: self._print(f"warning: {describe(message)}")
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
            self._print(status.state or ("running again" if self._model else ""))
            self._state = status.state
        if status.model != self._model and status.model:
            if self._model:
                self._print(f"{self._model} -> {status.model}")
            else:
                self._print(f"{_times(status.before)} -> {_times(status.after)}  {status.model}")
            self._model = status.model
        if self._line is not None:
            from rich.markup import escape

            self._line.update(escape(_line(status)))
        elif status.seconds - self._printed >= _EVERY:
            self._printed = status.seconds
            self._print(_line(status))

    def end(self, status: LiveStatus) -> None:
        if not self._quiet:
            self._print(_line(status))

    def _print(self, text: str) -> None:
        if not text or sys.stderr is None:
            return
        if self._line is not None:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command line may print


def _times(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _line(status: LiveStatus) -> str:
    parts = [
        counted(status.sent, "frame"),
        f"{status.fps:.1f} a second",
        f"latency {1e3 * status.latency:.0f} ms, 95 %: {1e3 * status.latency95:.0f} ms",
        f"{status.dropped} dropped",
    ]
    counts = {"late": status.late, "damaged": status.damaged}
    parts += [f"{count} {name}" for name, count in counts.items() if count]
    lost = {"source": status.reconnects, "sink": status.sink_reconnects}
    parts += [f"{name} lost: {count}" for name, count in lost.items() if count]
    return ", ".join([*parts, status.model] if status.model else parts)
