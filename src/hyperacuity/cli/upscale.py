"""`hyperacuity upscale`: files, folders and pipes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperacuity.cli.talk import Done, OutputError, Talk, current
from hyperacuity.errors import HyperacuityError, UsageError
from hyperacuity.task import Stop, Stopped

if TYPE_CHECKING:
    from hyperacuity.api import Result, Upscaler
    from hyperacuity.cli.jobs import Job
    from hyperacuity.image import Strips
    from hyperacuity.size import Size
    from hyperacuity.task import Progress, VideoOptions

INPUT, SIZE, MODEL, OUTPUT, SPEED, VIDEO = "Input", "Size", "Model", "Output", "Machine", "Videos"


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="IN...", help="Files, folders, patterns, or - for standard input."),
    ] = None,
    more_inputs: Annotated[
        list[str] | None, typer.Option("-i", "--input", help="The same, as an option.", rich_help_panel=INPUT)
    ] = None,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Folders in folders too; the tree is kept.", rich_help_panel=INPUT)
    ] = False,
    scale: Annotated[
        float | None,
        typer.Option(
            "-s",
            "--scale",
            "--outscale",
            help="The final scale, such as 2 or 3.5; 2 if no size is given.",
            rich_help_panel=SIZE,
        ),
    ] = None,
    width: Annotated[int | None, typer.Option(help="Final width in pixels.", rich_help_panel=SIZE)] = None,
    height: Annotated[int | None, typer.Option(help="Final height in pixels.", rich_help_panel=SIZE)] = None,
    megapixels: Annotated[float | None, typer.Option(help="Final area, such as 24.", rich_help_panel=SIZE)] = None,
    model: Annotated[
        str | None,
        typer.Option("-n", "--model", "--model-name", help="A name from `hyperacuity models`.", rich_help_panel=MODEL),
    ] = None,
    model_path: Annotated[
        Path | None, typer.Option("-m", "--model-path", help="A model file instead.", rich_help_panel=MODEL)
    ] = None,
    tta: Annotated[
        bool,
        typer.Option(
            "-x",
            "--tta",
            help="Average over 8 flips and rotations: 8 times slower, a little better.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="A file, a folder, or - for standard output.", rich_help_panel=OUTPUT),
    ] = None,
    suffix: Annotated[
        str | None, typer.Option(help="Put after each name, such as -large.", rich_help_panel=OUTPUT)
    ] = None,
    ext: Annotated[
        str,
        typer.Option(
            "--ext", "-f", "--format", help="png, jpg, webp, tiff ...; auto is the input's.", rich_help_panel=OUTPUT
        ),
    ] = "auto",
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.", rich_help_panel=OUTPUT)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite results that exist; never an input.", rich_help_panel=OUTPUT)
    ] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out what is already done.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary for programs.", rich_help_panel=OUTPUT)
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.", rich_help_panel=OUTPUT)] = False,
    tile: Annotated[
        str,
        typer.Option(
            "-t",
            "--tile",
            help="Largest side of a tile in input pixels; 0 = no tiles; auto = as memory allows.",
            rich_help_panel=SPEED,
        ),
    ] = "auto",
    engine: Annotated[
        str, typer.Option(help="auto, onnxruntime, openvino, ncnn, pytorch.", rich_help_panel=SPEED)
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=SPEED)] = "auto",
    gpu: Annotated[
        int | None, typer.Option("-g", "--gpu-id", min=0, help="Short for --device cuda:N.", rich_help_panel=SPEED)
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16, bf16, int8.", rich_help_panel=SPEED)] = "auto",
    fp32: Annotated[bool, typer.Option("--fp32", help="Short for --precision fp32.", rich_help_panel=SPEED)] = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=1, help="Files worked on at once.", rich_help_panel=SPEED)
    ] = 1,
    codec: Annotated[
        str | None, typer.Option(help="h264, h265, av1, ffv1 ...; h264 if not given.", rich_help_panel=VIDEO)
    ] = None,
    crf: Annotated[
        float | None, typer.Option(help="Quality, the codec's own scale: less is better.", rich_help_panel=VIDEO)
    ] = None,
    preset: Annotated[str | None, typer.Option(help="The codec's speed.", rich_help_panel=VIDEO)] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("-e", metavar="KEY=VALUE", help="More for the codec: tune=film.", rich_help_panel=VIDEO),
    ] = None,
    start: Annotated[str | None, typer.Option(help="From here on: 90, 1:30.", rich_help_panel=VIDEO)] = None,
    duration: Annotated[str | None, typer.Option(help="So much of it: 10, 0:10.", rich_help_panel=VIDEO)] = None,
    fps: Annotated[
        str | None, typer.Option(help="Of frames in a folder, such as frames/%06d.png.", rich_help_panel=VIDEO)
    ] = None,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make whole frames of fields.", rich_help_panel=VIDEO)
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first damaged frame.", rich_help_panel=VIDEO)
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(
            help="Only write this picture of one frame, before and after: from the middle, or at --start.",
            rich_help_panel=VIDEO,
        ),
    ] = None,
) -> None:
    """Make pictures and videos larger.

    hyperacuity upscale photo.jpg                    writes photo-x2.jpg beside it
    hyperacuity upscale photos -r -s 4 -o larger     a folder, and all below it
    hyperacuity upscale video.mp4 -o larger.mp4       a video, with all that is in it
    hyperacuity upscale - -o - --ext png < a > b     in a pipe
    """
    from hyperacuity import api
    from hyperacuity.cli import video
    from hyperacuity.cli.jobs import PIPE, Naming, plan
    from hyperacuity.size import Size

    everything = [*(inputs or []), *(more_inputs or [])]
    if not everything:
        raise UsageError("say what to upscale: hyperacuity upscale photo.jpg")
    if model is not None and model_path is not None:
        raise UsageError("give a model by name (-n) or by file (-m), not both")
    if fp32 and precision not in ("auto", "fp32"):
        raise UsageError(f"--fp32 and --precision {precision}: leave one of them out")
    if gpu is not None and device not in ("auto", "cuda", f"cuda:{gpu}"):
        raise UsageError(f"-g {gpu} and --device {device}: leave one of them out")
    if suffix and {"/", "\\"} & set(suffix):
        raise UsageError(f"--suffix {suffix}: it becomes part of the names; for another folder there is -o")
    size = Size(scale, width, height, megapixels)
    videos = video.asked(
        codec=codec,
        crf=crf,
        preset=preset,
        options=encoder or [],
        start=start,
        duration=duration,
        fps=fps,
        deinterlace=deinterlace,
        strict=strict,
    )
    if preview is not None and (output is not None or len(everything) > 1):
        raise UsageError("--preview is one picture of one video: leave -o and all but one input out")
    naming = Naming(suffix, api.suffix(size), _extension(ext))
    try:
        planned = plan(everything, output if preview is None else str(preview), naming, recursive=recursive)
    except OSError as error:
        raise UsageError(
            f"{error.filename or 'the current folder'}: {(error.strerror or str(error)).lower()}"
        ) from error
    piped = any(job.target == PIPE for job in planned)
    _check_pipes(any(job.source == PIPE for job in planned), piped)
    upscaler = api.load(
        model_path or model,
        engine=engine,
        device=f"cuda:{gpu}" if gpu is not None else device,
        precision=_precision("fp32" if fp32 else precision),
        tile=_tile(tile),
        tta=tta,
    )
    talk = Talk(sys.stderr if piped else sys.stdout, quiet=quiet or as_json, json=as_json)
    batch = _Batch(upscaler, size, quality, force, skip_existing, naming.extension, videos, preview is not None, talk)
    raise typer.Exit(batch.run(planned, jobs))


def _check_pipes(reading: bool, writing: bool) -> None:
    if reading and sys.stdin is None:
        raise UsageError("standard input is closed: name a file")
    if reading and sys.stdin.isatty():
        raise UsageError("standard input is a terminal: add < photo.jpg, or name a file")
    if writing and sys.stdout is None:
        raise UsageError("standard output is closed: name a file with -o")
    if writing and sys.stdout.isatty():
        raise UsageError("standard output is a terminal, which cannot show pictures: add > FILE, or name one with -o")


def _begins_with(magic: bytes) -> bool:
    """Whether standard input does, which keeps it."""
    buffered: Any = sys.stdin.buffer
    return bool(buffered.peek(len(magic))[: len(magic)] == magic)


def _extension(ext: str) -> str | None:
    from hyperacuity import formats
    from hyperacuity.errors import UnsupportedFormat, nearest

    if ext == "auto":
        return None
    ending = "." + ext.lower().lstrip(".")
    if ending not in formats.suffixes() and not formats.names_video(Path(f"video{ending}")):
        known = [suffix[1:] for suffix in formats.suffixes()]
        raise UnsupportedFormat(f"cannot write {ext!r}; there are auto, {', '.join(known)}{nearest(ext, known)}")
    return ending


def _tile(text: str) -> int | None:
    if text == "auto":
        return None
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(f"-t {text}: give auto, 0 for no tiles, or a side in pixels")
    return int(text)


def _precision(text: str) -> Any:
    if text not in ("auto", "fp32", "fp16", "bf16", "int8"):
        raise UsageError(f"no precision {text!r}: there are auto, fp32, fp16, bf16, int8")
    return text


def _stop_at_once_next_time() -> None:
    """Workers are waited for, and a large picture may be in its encoder: whoever insists gets the prompt back now."""
    from hyperacuity import storage

    def stop(number: int, _: FrameType | None) -> None:
        storage.abandon()
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


class _Batch:
    """All files of one command: goes on past a bad one, and stops cleanly."""

    def __init__(
        self,
        upscaler: Upscaler,
        size: Size,
        quality: int | None,
        force: bool,
        skip_existing: bool,
        extension: str | None,
        videos: VideoOptions | None,
        preview: bool,
        talk: Talk,
    ) -> None:
        self.upscaler, self.size, self.quality, self.extension = upscaler, size, quality, extension
        self.videos, self.preview = videos, preview
        self.force, self.skip_existing, self.talk = force, skip_existing, talk
        self.stop = Stop()

    def run(self, jobs: Sequence[Job], workers: int) -> int:
        """Do all jobs and say what became of them; the exit code."""
        done: list[Done] = []
        with self.talk.progress(len(jobs)), ThreadPoolExecutor(workers) as pool:
            waiting = iter(jobs)
            running: set[Future[Done]] = set()
            try:
                while True:
                    # A few at a time, so that stopping does not have to take back thousands.
                    while len(running) < workers and (job := next(waiting, None)) is not None:
                        running.add(pool.submit(self._one, job))
                    if not running:
                        break
                    # With a limit, so that Ctrl-C is heard on Windows too.
                    finished, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                    for future in finished:
                        done.append(future.result())
                        self.talk.finished(done[-1])
            except BaseException as reason:
                self.stop.set()  # each worker ends at its next rows and takes back what it has written
                if isinstance(reason, (KeyboardInterrupt, SystemExit)):
                    _stop_at_once_next_time()
                    self.talk.stopping()
                raise
        self.talk.summary(done)
        return 1 if any(result.error for result in done) else 0

    def _one(self, job: Job) -> Done:
        from hyperacuity.cli.jobs import PIPE
        from hyperacuity.cli.video import Y4M
        from hyperacuity.storage import storing
        from hyperacuity.video import is_video

        current.set(str(job.source))
        self.talk.started(str(job.source))
        start = time.perf_counter()
        try:
            with storing(job.target):
                if self.skip_existing and job.target.exists():
                    return Done(str(job.source), str(job.target), skipped=True)
            piped_video = job.source == PIPE and _begins_with(Y4M)
            if piped_video or is_video(job.source):
                return replace(self._video(job), seconds=time.perf_counter() - start)
            result = self._upscale(job)
        except HyperacuityError as error:
            return Done(str(job.source), str(job.target), error=str(error))
        except (BrokenPipeError, OutputError, Stopped):
            raise
        except Exception as error:
            # A fault of ours: the rest of the batch shall not suffer, and whoever reports it needs to see where.
            trace = "".join(traceback.format_exception(error))
            return Done(str(job.source), str(job.target), error=f"internal error, please report it:\n{trace}")
        return Done(
            str(job.source),
            str(result.path if job.target.name != "-" else job.target),
            before=result.before,
            after=result.after,
            frames=result.frames,
            models=result.models,
            seconds=time.perf_counter() - start,
        )

    def _video(self, job: Job) -> Done:
        from hyperacuity import video
        from hyperacuity.cli.jobs import PIPE
        from hyperacuity.cli.video import note
        from hyperacuity.storage import storing
        from hyperacuity.task import VideoOptions

        name = current.get()
        if self.quality is not None:
            raise UsageError("--quality is for pictures: videos have --crf")

        begun = time.perf_counter()

        def observe(progress: Progress) -> None:
            if progress.done == progress.resumed:
                self.talk.resumed(name, progress.done)
                return
            rate = (progress.done - progress.resumed) * progress.frames / (time.perf_counter() - begun)
            self.talk.advance(name, progress.done, 0, rate=f"{rate:.1f} fps")

        if job.target != PIPE:
            with storing(job.target):
                job.target.parent.mkdir(parents=True, exist_ok=True)
        settings = self.videos or VideoOptions()
        if self.preview:
            if PIPE in (job.source, job.target):
                raise UsageError("--preview needs a video that is a file, and a name for the picture")
            report = video.preview(self.upscaler, job.source, job.target, self.size, settings, force=self.force)
        else:
            report = video.upscale(
                self.upscaler,
                sys.stdin.buffer if job.source == PIPE else job.source,
                sys.stdout.buffer if job.target == PIPE else job.target,
                self.size,
                settings,
                force=self.force,
                observe=observe,
                stop=self.stop,
            )
        return Done(
            str(job.source),
            str(job.target),
            before=report.before,
            after=report.after,
            frames=report.frames,
            models=report.models,
            note=note(report, time.perf_counter() - begun),
        )

    def _upscale(self, job: Job) -> Result:
        from hyperacuity import api
        from hyperacuity.cli.jobs import PIPE
        from hyperacuity.storage import storing

        if self.videos is not None or self.preview:
            raise UsageError("this is a picture: --codec, --start, --preview and the like are for videos")
        data = sys.stdin.buffer.read() if job.source == PIPE else job.source
        if job.target != PIPE:
            with storing(job.target):
                job.target.parent.mkdir(parents=True, exist_ok=True)
            return self.upscaler.file(
                data, job.target, self.size, force=self.force, quality=self.quality, watch=self._watch
            )
        with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
            path = Path(folder, "result" + (self.extension or api.suffix_of(data)))
            result = self.upscaler.file(data, path, self.size, quality=self.quality, watch=self._watch)
            try:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OutputError(f"standard output cannot be written: {error.strerror}") from error
            return result

    def _watch(self, strips: Strips, frame: int, frames: int) -> Strips:
        from hyperacuity.image import Strips

        name = current.get()

        def rows() -> Iterator[Any]:
            done = 0
            for block in strips.rows:
                if self.stop.is_set():
                    raise KeyboardInterrupt
                yield block
                done += len(block)
                share = (frame + done / strips.header.height) / frames
                self.talk.advance(name, share, len(block) * strips.header.width)

        return Strips(strips.header, rows())
