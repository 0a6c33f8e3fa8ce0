"""A report about one result for people who must decide whether to believe it: one JSON file, or one HTML file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats
from hyperacuity.image import Image, Strips
from hyperacuity.inspection import Inspection, decide, describe_reason
from hyperacuity.storage import as_utf8, storing, write_whole
from hyperacuity.task import Outcome, Task
from hyperacuity.trust import DEPARTING, coloured, legend, luma_levels
from hyperacuity.zoo import Card

# The longest side of the pictures in a report, in pixels.
SIDE = 480
# LR-PSNR from which nothing of the input was lost, in dB; see `trust.consistency`.
_CONSISTENT = 45.0


def describe_result(
    task: Task, outcome: Outcome, cards: Sequence[Card], found: Inspection | None, data: Path | bytes
) -> dict[str, Any]:
    """Returns everything that a report says, as data for `json.dumps`.

    Args:
        task: The task.
        outcome: Of the task; its target is a file.
        cards: Of the models that computed the result.
        found: The measurements of the input; None if there are none.
        data: The input, a file or its bytes.
    """
    return {
        "software": f"hyperacuity {version('hyperacuity')}",
        "input": {"name": Path(task.source).name, "sha256": _hash(data), "size": list(outcome.before[::-1])},
        "output": {
            "name": Path(task.target).name,
            "sha256": _hash(Path(outcome.target)),
            "size": list(outcome.after[::-1]),
        },
        "models": [
            {"name": card.name, "licence": card.licence, "trained_on": card.trained_on, "recipe": card.recipe}
            for card in cards
        ],
        "options": task.options.to_json(),
        "measured": None if found is None else {"state": decide(found), "reason": describe_reason(found)},
        "lr_psnr": outcome.lr_psnr,
        "expected_errors": outcome.expected_errors,
        "sentences": sentences(outcome, found),
    }


def sentences(outcome: Outcome, found: Inspection | None) -> list[str]:
    """Returns what the measurements mean, in plain English."""
    scale = outcome.after[1] / max(1, outcome.before[1])
    said = [
        f"The result is {scale:g} times as wide as its input: of {scale * scale:.0f} pixels, one was recorded and the "
        "others are estimated.",
        f"No detail finer than {scale:g} pixels is in the input; what is seen there is a guess.",
    ]
    if outcome.lr_psnr is not None:
        value = f"LR-PSNR {outcome.lr_psnr:.1f} dB"
        if outcome.lr_psnr >= _CONSISTENT:
            said.append(f"Reduced to the size of the input, the result equals the input ({value}).")
        elif outcome.lr_psnr >= DEPARTING:
            said.append(f"Reduced to the size of the input, the result differs slightly from the input ({value}).")
        else:
            said.append(f"The result departs from its input ({value}): do not take it for evidence.")
    if outcome.expected_errors:
        small = sum(list(outcome.expected_errors.values())[:2])
        said.append(
            f"For {small:.0%} of the pixels the brightness is expected to be wrong by less than 4 of 255 grey levels, "
            "each with a probability of 90 %; see the error map for the others."
        )
    if found is not None and decide(found) != "clean":
        said.append(
            f"The input is not clean ({describe_reason(found)}). The error map is calibrated for clean input: it does "
            "not know what noise or compression hid."
        )
    return said


def write_report(path: Path, content: dict[str, Any], result: Path, errors: NDArray[np.float32] | None) -> None:
    """Write a report.

    Args:
        path: The file, .json or .html.
        content: From `describe_result`.
        result: The file of the result.
        errors: Its error map, reduced to at most `SIDE` pixels, in grey levels.

    Raises:
        UsageError: If the file cannot be written; the message says why.
    """
    if path.suffix.lower() == ".json":
        _store(path, json.dumps(content, indent=2) + "\n")
        return
    pictures = [("The result, reduced", _png(_thumbnail(result)))]
    if errors is not None:
        colours = coloured(errors)
        picture = np.concatenate([colours, legend(colours.shape[1])])
        pictures.append(
            ("Expected error of brightness in grey levels of 255; 90 % of pixels stay below", _png(picture))
        )
    _store(path, _page(content, pictures))


def _store(path: Path, text: str) -> None:
    with storing(path):
        write_whole(path, as_utf8(text))


def _hash(data: Path | bytes) -> str:
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _thumbnail(path: Path) -> NDArray[np.uint8]:
    """Every n-th row and column of the luma of an image file."""
    with formats.read(path) as source:
        image = next(iter(source))
        strips: Strips = image.strips() if isinstance(image, Image) else image
        step = max(1, -(-max(strips.header.height, strips.header.width) // SIDE))
        kept, start = [], 0
        for rows in strips.rows:
            chosen = rows[-start % step :: step, ::step]
            kept.append(np.clip(np.rint(luma_levels(chosen, strips.header)), 0, 255).astype(np.uint8))
            start += len(rows)
    return np.concatenate(kept)


def _png(pixels: NDArray[np.uint8]) -> str:
    """The address of an image that holds its own data."""
    with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
        path = Path(folder, "picture.png")
        with formats.write(path, None) as sink:
            sink.write(Image.from_pixels(pixels).strips())
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _page(content: dict[str, Any], pictures: Sequence[tuple[str, str]]) -> str:
    said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in content["sentences"])
    shown = "".join(
        f'<figure><img src="{address}" alt=""><figcaption>{html.escape(caption)}</figcaption></figure>'
        for caption, address in pictures
    )
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in _facts(content)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Report on an enlarged image</title><style>'
        "body{font:16px/1.5 sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
        "th{text-align:left;vertical-align:top;padding-right:1rem}td{overflow-wrap:anywhere}"
        "figure{display:inline-block;margin:0 1rem 1rem 0}img{max-width:100%}figcaption{max-width:30rem}</style>"
        f"<h1>Report on {html.escape(content['output']['name'])}</h1>{said}{shown}<table>{rows}</table></html>\n"
    )


def _facts(content: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [("Software", content["software"])]
    for key, title in (("input", "Input"), ("output", "Result")):
        part = content[key]
        facts.append((title, f"{part['name']}, {part['size'][0]} x {part['size'][1]} pixels"))
        facts.append((f"{title}, SHA-256", part["sha256"]))
    for model in content["models"]:
        facts.append(("Model", f"{model['name']} (licence: {model['licence']}; trained on: {model['trained_on']})"))
    if content["measured"]:
        facts.append(("State of the input", f"{content['measured']['state']}: {content['measured']['reason']}"))
    if content["lr_psnr"] is not None:
        facts.append(("LR-PSNR", f"{content['lr_psnr']:.1f} dB"))
    for name, share in (content["expected_errors"] or {}).items():
        facts.append((f"Expected error {name} grey levels", f"{share:.1%} of the pixels"))
    facts.extend(("Option " + name, str(value)) for name, value in content["options"].items())
    return facts
