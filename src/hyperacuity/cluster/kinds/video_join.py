"""A video from its segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from hyperacuity import video
from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.task import Outcome, Progress
from hyperacuity.tasks import choose_upscaler
from hyperacuity.video.parts import SegmentPlace, digest_times
from hyperacuity.video.segments import segment_times


def is_done(task: PlannedTask, plan: Plan) -> bool:
    """See `TaskKind.is_done`."""
    return plan.is_finished(task.files[0])


def work(task: PlannedTask, bench: Bench) -> tuple[Outcome, ...]:
    """See `TaskKind.work`. What no segment holds is computed here, by decoding from the beginning."""
    (file,) = task.files
    request = bench.request(file)
    source, target = Path(request.source), Path(request.target)
    segments = list(_usable(task, bench))

    def upscale(observe: Callable[[Progress], None]) -> Outcome:
        _, upscaler, choice, _ = choose_upscaler(request, source, bench.upscalers)
        outcome = video.upscale(
            upscaler,
            source,
            target,
            request.size,
            request.video,
            force=True,
            observe=observe,
            stop=bench.stop,
            segments=segments,
        )
        return replace(outcome, choice=choice)

    outcome = bench.report(request, upscale)
    if outcome.error is None:
        bench.publish(target, file)
        bench.remove_parts(*task.needs)
    return (bench.original(outcome, file),)


def _usable(task: PlannedTask, bench: Bench) -> Iterator[Path]:
    """The segments in order. After one with other frames than its packets promised, frames have other numbers."""
    shifted = False
    for number in range(*task.needs):
        place = SegmentPlace.from_json(bench.plan.task(number).data)
        path = bench.part(number)
        promised = digest_times(segment_times(path)) == place.times
        if shifted and promised:
            return
        shifted = shifted or not promised
        yield path
