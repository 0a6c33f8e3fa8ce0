"""Some rows of the result of a large image, as stored values; and how a large image is split into these."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from hyperacuity import formats
from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.kinds.protocol import Draft, Split
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.cluster.prepared_image import needs_preparation, open_prepared
from hyperacuity.inspection import choose_model, inspect
from hyperacuity.stores import name_of
from hyperacuity.task import Options, Outcome, Task
from hyperacuity.tasks.kinds import find_kind
from hyperacuity.upscaler import find_family

# Images with fewer pixels are done as one task.
LEAST_PIXELS = 100_000_000
# About how many pixels of the result a task makes: half a minute of the default model on two cores.
BAND_PIXELS = 100_000_000


def split(task: Task, source: Path, *, least_pixels: int = LEAST_PIXELS, band_pixels: int = BAND_PIXELS) -> Split | str:
    """Split a large image; see `Splitter`.

    Args:
        task: The request.
        source: The file.
        least_pixels: Images with fewer pixels are not split.
        band_pixels: About how many pixels of the result a task makes.
    """
    size = formats.size_in_header(source)
    if size is None or size[0] * size[1] < least_pixels:
        return ""
    kind = find_kind(source, Path(name_of(task.target)))
    if kind == "raster":
        return "its values are measurements"
    if kind != "image":
        return ""
    with formats.read(source) as opened:
        if opened.frames != 1:
            return f"it holds {opened.frames} images"
    if task.image is not None and task.image.samples is not None:
        return "several results are drawn from it"
    options, _ = choose_model(task.options, task.size, lambda: inspect(source))
    whole = next((model.card.name for model in find_family(options) if model.card.whole), None)
    if whole is not None:
        return f"{whole} takes statistics of the whole image"
    after = task.size.resolve(*size)
    count = min(*after, max(2, math.ceil(after[0] * after[1] / band_pixels)))
    if count < 2:
        return ""
    made_by = options.to_json()
    parts = tuple(Draft("band", {"band": n, "bands": count, "options": made_by}) for n in range(count))
    prepare = Draft("image-source") if needs_preparation(source) else None
    return Split(parts, Draft("image-join"), prepare)


def is_done(task: PlannedTask, plan: Plan) -> bool:
    """See `TaskKind.is_done`."""
    return plan.has_part(task.number) or plan.is_finished(task.files[0])


def work(task: PlannedTask, bench: Bench) -> tuple[Outcome, ...]:
    """See `TaskKind.work`."""
    (file,) = task.files
    prepared = bench.part(task.needs[0]) if task.needs else None
    source, found = open_prepared(prepared, bench.source(file))
    before = source.header.height, source.header.width
    after = bench.plan.request(file).size.resolve(*before)
    band, bands = task.data["band"], task.data["bands"]
    rows = after[0] * band // bands, after[0] * (band + 1) // bands
    pipeline = bench.upscalers.get(Options.from_json(task.data["options"])).pipeline(before, after)
    path = bench.spool / "band"
    with path.open("wb") as spooled:
        for block in pipeline.stream_rows(source, found, *after, rows).rows:
            bench.stop.check()
            spooled.write(np.ascontiguousarray(block).data)
    bench.put_part(path, task.number)
    return ()
