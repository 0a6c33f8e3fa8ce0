"""100 frames of a video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hyperacuity import video
from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.kinds.protocol import Draft, Split
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.task import Outcome, Progress, Task
from hyperacuity.tasks import choose_upscaler
from hyperacuity.video.parts import SegmentPlace


def split(task: Task, source: Path) -> Split | str:
    """Divide a video into segments; see `Splitter`."""
    if not source.is_file() or not video.is_video(source):
        return ""
    places = video.plan_segments(source, Path(task.target), task.video)
    if isinstance(places, str):
        return places
    return Split(tuple(Draft("segment", place.to_json()) for place in places), Draft("video-join"))


def is_done(task: PlannedTask, plan: Plan) -> bool:
    """See `TaskKind.is_done`."""
    return plan.has_part(task.number) or plan.is_finished(task.files[0])


def work(task: PlannedTask, bench: Bench) -> tuple[Outcome, ...]:
    """See `TaskKind.work`."""
    (file,) = task.files
    request = bench.request(file)
    source, path = Path(request.source), bench.spool / "segment"
    place = SegmentPlace.from_json(task.data)

    def upscale(observe: Callable[[Progress], None]) -> Outcome:
        _, upscaler, _, _ = choose_upscaler(request, source, bench.upscalers)
        target = Path(request.target)
        return video.upscale_segment(
            upscaler, source, target, request.size, request.video, place, path, observe=observe, stop=bench.stop
        )

    outcome = bench.report(request, upscale)
    if outcome.error is None:
        bench.put_part(path, task.number)
    return (bench.original(outcome, file),)
