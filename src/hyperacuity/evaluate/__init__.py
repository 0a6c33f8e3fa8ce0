"""How good models are, by the protocols of the papers, with the papers' own figures for comparison.

- `measuring`: runs models over a set and measures every result.
- `enlarging`: one model and one image, under a protocol.
- `results`: the records that come out: settings, measurements, rows of a table.
- `sets` and `video_sets`: what is measured, a folder of images or the frames of a video.
- `report`, `sheets`, `plots`: tables, images side by side, diagrams.
- `published`: the tables of the papers.

What can be measured is the table `hyperacuity.metrics.METRICS`, and how it is compared is
`hyperacuity.metrics.protocols.PROTOCOLS`.
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
