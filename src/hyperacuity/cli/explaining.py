"""Words why a model was chosen, and how to choose another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hyperacuity import zoo
from hyperacuity.task import Choice

# How each measurement is written, in this order; those that are missing here are not printed.
_WORDS = {
    "jpeg_quality": "JPEG quality {}",
    "chroma": "chroma {}",
    "webp_quality": "WebP quality {}",
    "avif_quality": "AVIF quality {}",
    "noise": "noise {:.1f}",
    "grain": "{:.0%} likely noise and not texture",
    "blockiness": "blocks {:.2f}",
    "bandwidth": "detail in {:.0%} of the spectrum",
    "saturation": "{:.0%} black or white",
    "traces": "{:.0%} likely compressed at a low quality before",
}
_VERDICTS = {"clean": "it is clean", "between": "it has faint faults", "dirty": "it has visible faults"}


def explanation(choice: Choice | None, *, full: bool) -> Iterator[str]:
    """Yields the lines below the result of a file: advice, if there is any, and in `full` the measurements too."""
    if choice is None:
        return
    if choice.advice:
        yield choice.advice
    if full:
        yield f"measured: {_write(choice.measurements)}"
        yield f"{_VERDICTS[choice.verdict]}, {_reason(choice)}; another model: -n NAME{_example(choice.family)}"


def _reason(choice: Choice) -> str:
    default = choice.family == zoo.DEFAULT
    if choice.verdict == "between":
        return (
            f"which {choice.family} still enlarges best" if default else f"which {choice.family} is for at this scale"
        )
    if choice.verdict == "dirty" and default:
        return f"but no model for that is installed, and {choice.family} is the default"
    return f"which {choice.family} is for"


def _example(taken: str) -> str:
    """A model that `auto` could have taken instead."""
    others = [zoo.find_role(verdict, 1) for verdict in ("clean", "dirty")]
    return next((f", such as -n {family}" for family in others if family != taken), "")


def _write(measurements: Mapping[str, Any]) -> str:
    size = f"{measurements['width']} x {measurements['height']}"
    known = {key for key in _WORDS if key in measurements}
    if not measurements.get("noise"):
        known.discard("grain")  # without noise there is nothing to explain
    return ", ".join([size, *(words.format(measurements[key]) for key, words in _WORDS.items() if key in known)])
