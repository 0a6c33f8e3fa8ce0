"""Tables of an evaluation: CSV, Markdown, and the rows of a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from hyperacuity.evaluate.results import EvaluatedImage, EvaluationRow, EvaluationSetting
from hyperacuity.storage import storing, write_whole

_SECONDS = (
    "Seconds: for a megapixel of the result, the median over the images, from array to array after a warm-up, on "
    "this machine under its load at the time."
)
_VIDEOS = "Videos: each frame is an image in 8-bit R, G, B by the video's own matrix and range."


def to_csv(records: Sequence[Mapping[str, str]]) -> str:
    """Returns CSV with the columns of all records, which are those of rows or of `image_records`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(records), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _columns(records: Sequence[Mapping[str, str]]) -> list[str]:
    """Returns the columns of all records; videos have more than images."""
    return list(dict.fromkeys(name for record in sorted(records, key=len, reverse=True) for name in record))


def image_records(setting: EvaluationSetting, image: EvaluatedImage) -> list[dict[str, str]]:
    """Returns the fields of one image for CSV, a record for each model."""
    return [
        {
            "model": model,
            "set": setting.images.name,
            "scale": str(setting.scale),
            "protocol": setting.protocol.name,
            "picture": image.name,
            **{metric.column: f"{one.scores[metric.name]:.6f}".replace("nan", "") for metric in setting.metrics},
            "seconds_per_megapixel": f"{one.seconds:.6f}",
        }
        for model, one in image.measurements.items()
    ]


def table(rows: Sequence[EvaluationRow]) -> tuple[list[str], list[list[str]]]:
    """Returns the columns that have a value in some row, and the values of each row in them."""
    records = [row.record() for row in rows]
    columns = [name for name in _columns(records) if any(record.get(name) for record in records)]
    return columns, [[record.get(name, "") for name in columns] for record in records]


def to_markdown(rows: Sequence[EvaluationRow]) -> str:
    """Returns a table without empty columns, and below it the statements that explain it."""
    columns, body = table(rows)
    lines = [columns, ["---"] * len(columns), *body]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return drawn + "\n\n" + "\n\n".join(statements(rows)) + "\n"


def statements(rows: Sequence[EvaluationRow]) -> list[str]:
    """Returns a sentence for each protocol and for each metric that needs one."""
    settings = [row.setting for row in rows]
    sentences = [*dict.fromkeys(_protocol_statement(setting) for setting in settings)]
    if any(setting.images.is_video for setting in settings):
        sentences.append(_VIDEOS)
    metrics = {metric.name: metric for setting in settings for metric in setting.metrics}
    sentences += [f"{metric.title}: {metric.statement}." for metric in metrics.values() if metric.statement]
    return [*sentences, _SECONDS]


def _protocol_statement(setting: EvaluationSetting) -> str:
    """Returns the sentence that explains what was compared."""
    lr = "LR as given" if setting.images.given_lr else "LR by MATLAB's bicubic"
    protocol = setting.protocol
    return (
        f"Protocol {protocol.name}: {protocol.statement}; {lr}, results rounded to 8 bits, a border of `scale` pixels "
        "cut."
    )


def store(path: Path, content: bytes) -> None:
    """Write a file, and its folder if missing.

    Raises:
        UsageError: If it cannot be written; `path` is then unchanged.
    """
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        write_whole(path, content)
