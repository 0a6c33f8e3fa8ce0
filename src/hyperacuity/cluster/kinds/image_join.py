"""The result of a large image from its rows: what one machine does, but for the networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.cluster.prepared_image import PreparedRows, open_prepared, streamed
from hyperacuity.formats.photo.on_disk import decoding_into
from hyperacuity.image import Image, Strips
from hyperacuity.pipeline import Facts, Noise, join_rows
from hyperacuity.size import Size
from hyperacuity.task import Options, Outcome
from hyperacuity.tasks import Upscalers, run
from hyperacuity.trust import ConsistencyMeter
from hyperacuity.upscaler import Upscaler


def is_done(task: PlannedTask, plan: Plan) -> bool:
    """See `TaskKind.is_done`."""
    return plan.is_finished(task.files[0])


def work(task: PlannedTask, bench: Bench) -> tuple[Outcome, ...]:
    """See `TaskKind.work`."""
    (file,) = task.files
    request = bench.request(file)
    needs = bench.plan.task(task.needs[0]).needs
    found = open_prepared(bench.part(needs[0]), Path(request.source))[1] if needs else Facts()
    with decoding_into(bench.spool):
        upscalers = _Joining(task, bench, found)
        outcome = bench.original(run(request, bench.observer, bench.stop, upscalers=upscalers), file)
    if outcome.error is None:
        bench.publish(Path(request.target), file)
        bench.remove_parts(*task.needs)
        if needs:
            bench.remove_parts(*needs)
    return (outcome,)


class _Joining(Upscalers):
    """Gives out an upscaler that reads the rows of its result from the tasks before this one."""

    def __init__(self, task: PlannedTask, bench: Bench, found: Facts) -> None:
        super().__init__()
        self._task, self._bench, self._found = task, bench, found

    def get(self, options: Options) -> Upscaler:
        """See `Upscalers.get`."""
        return _JoiningUpscaler(options, self._task, self._bench, self._found)


class _JoiningUpscaler(Upscaler):
    def __init__(self, options: Options, task: PlannedTask, bench: Bench, found: Facts) -> None:
        super().__init__(options)
        self._needs, self._bench, self._found = task.needs, bench, found

    def stream(
        self,
        image: Image | Strips,
        size: Size | float,
        meter: ConsistencyMeter | None = None,
        noise: Noise | None = None,
        view: int | None = None,
    ) -> Strips:
        """See `Upscaler.stream`; only the result itself has been computed, not what an error map compares it with."""
        if noise is not None or view is not None:
            return super().stream(image, size, meter, noise, view)
        target = (size if isinstance(size, Size) else Size(size)).resolve(image.header.height, image.header.width)
        source = image if isinstance(image, Strips) else streamed(image)
        return join_rows(source, self._found, self._rows(image, target), *target, meter)

    def _rows(self, image: Image | Strips, target: tuple[int, int]) -> Iterator[NDArray[Any]]:
        first, end = self._needs
        edges = [target[0] * n // (end - first) for n in range(end - first + 1)]
        for n, number in enumerate(range(first, end)):
            path = self._bench.part(number)
            count = edges[n + 1] - edges[n]
            yield from PreparedRows(path, image.header.resized(count, target[1])).read(0, count)
            if path.is_relative_to(self._bench.spool):
                path.unlink()
