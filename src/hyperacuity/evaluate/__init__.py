"""Measures the quality of models by the protocols of the papers, next to the papers' figures.

- `measuring`: runs models over a set and measures every result.
- `enlarging`: applies one model to one image under a protocol.
- `results`: the records: settings, measurements, rows of a table.
- `sets` and `video_sets`: test sets, from a folder of images or the frames of a video.
- `finished`: results that exist already.
- `report`, `sheets`, `plots`: tables, images side by side, diagrams.
- `published`: the tables of the papers.

The table of metrics is `hyperacuity.metrics.METRICS`, that of protocols `hyperacuity.metrics.protocols.PROTOCOLS`.
"""

from __future__ import annotations

from hyperacuity.evaluate.measuring import check_scale, evaluate_folder, measure_images
from hyperacuity.evaluate.results import EvaluatedImage, EvaluationRow, EvaluationSetting, Measurement, summarise

__all__ = [
    "EvaluatedImage",
    "EvaluationRow",
    "EvaluationSetting",
    "Measurement",
    "check_scale",
    "evaluate_folder",
    "measure_images",
    "summarise",
]
