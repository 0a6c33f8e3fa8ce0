"""Images and plans for the tests of the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity import formats
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.planning import PlanRequest, PlanSummary, make_plan
from hyperacuity.image import Image, Metadata
from hyperacuity.size import Size
from hyperacuity.task import Options, Outcome, Task
from hyperacuity.tasks import Naming, run


def written(path: Path, channels: int = 3, dtype: Any = np.uint8, height: int = 120, width: int = 50) -> Path:
    """An image file of noise with some metadata; alpha has a hole."""
    random = np.random.default_rng(height * channels)
    values = random.random((height, width, channels)) * 0.5 + 0.25
    pixels = values.astype(np.float32) if dtype == np.float32 else (values * np.iinfo(dtype).max).astype(dtype)
    if channels in (2, 4):
        pixels[40:80, 10:30, -1] = 0
    image = Image.from_pixels(pixels, alpha=channels in (2, 4), metadata=Metadata(dpi=(300, 300)))
    with formats.write(path, None) as sink:
        sink.write(image.strips())
    return path


def planned(
    sources: list[Path], output: Path, plan: Path, options: Options, size: Size, **more: Any
) -> tuple[Plan, PlanSummary]:
    """A plan in which every image is large."""
    template = Task("", "", size, options)
    request = PlanRequest(
        [str(each) for each in sources],
        str(output),
        Naming(None, "", None, False),
        template,
        False,
        str(plan),
        **{"band_from": 1, **more},
    )
    summary = make_plan(request)
    return Plan(str(plan)), summary


def alone(source: Path, target: Path, options: Options, size: Size) -> Outcome:
    """What one machine makes."""
    outcome = run(Task(str(source), str(target), size, options))
    assert outcome.error is None
    return outcome


def left_over(plan: Plan) -> Iterator[Path]:
    """Files about a plan, besides the manifest, that are not needed when all is done."""
    for path in Path(plan.location).rglob("*"):
        if path.is_file() and path.name != "manifest.jsonl" and not path.name.endswith(".out"):
            yield path
