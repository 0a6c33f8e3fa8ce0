"""Everything that a report says, as data, and its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hyperacuity import zoo
from hyperacuity.inspection import Inspection, decide, describe_reason
from hyperacuity.reporting.page import render_page
from hyperacuity.reporting.sentences import sentences
from hyperacuity.reporting.thumbnails import make_thumbnails
from hyperacuity.storage import as_utf8, storing, write_whole
from hyperacuity.task import Outcome, Task
from hyperacuity.trust import ReducedImages
from hyperacuity.zoo import Model


def describe_result(
    task: Task,
    outcome: Outcome,
    models: Sequence[Model],
    found: Inspection | None,
    data: Path | bytes,
    *,
    beyond: bool = False,
    general: bool = False,
) -> dict[str, Any]:
    """Returns everything that a report says, as data for `json.dumps`.

    Args:
        task: The task.
        outcome: Of the task; its target is a file.
        models: Those that computed the result.
        found: The measurements of the input; None if there are none.
        data: The input, a file or its bytes.
        beyond: Whether the input is not of the kind that the error map is calibrated for.
        general: Whether the error map is not calibrated for the model, but for models in general.
    """
    return {
        "software": f"Hyperacuity {version('hyperacuity')}",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": {"name": Path(task.source).name, "sha256": _hash(data), "size": list(outcome.before[::-1])},
        "output": {
            "name": Path(task.target).name,
            "sha256": _hash(Path(outcome.target)),
            "size": list(outcome.after[::-1]),
        },
        "models": [_describe_model(model) for model in models],
        "options": task.options.to_json() | ({} if task.image is None else task.image.to_json()),
        "measured": None if found is None else {"state": decide(found), "reason": describe_reason(found)},
        "lr_psnr": outcome.lr_psnr,
        "expected_errors": outcome.expected_errors,
        "beyond_calibration": beyond,
        "calibrated_for_model": None if outcome.expected_errors is None else not general,
        "samples": [{"name": Path(path).name, "sha256": _hash(Path(path))} for path in outcome.samples],
        "sentences": sentences(outcome, found, [model.card for model in models], beyond=beyond, general=general),
    }


def _describe_model(model: Model) -> dict[str, Any]:
    card, path = model.card, model.safetensors or model.onnx
    return {
        "name": card.name,
        "licence": card.licence,
        "trained_on": card.trained_on,
        "recipe": card.recipe,
        "sha256": None if path is None else _hash(path),
        "invents_detail": zoo.is_generative(card),
    }


def write_report(path: Path, content: dict[str, Any], reduced: ReducedImages) -> None:
    """Write a report.

    Args:
        path: The file, .json or .html.
        content: From `describe_result`.
        reduced: Small copies of the images.

    Raises:
        UsageError: If the file cannot be written; the message says why.
    """
    if path.suffix.lower() == ".json":
        _store(path, json.dumps(content, indent=2) + "\n")
        return
    _store(path, render_page(content, make_thumbnails(content, reduced)))


def _store(path: Path, text: str) -> None:
    with storing(path):
        write_whole(path, as_utf8(text))


def _hash(data: Path | bytes) -> str:
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
