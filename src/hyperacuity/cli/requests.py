"""What the options of `hyperacuity upscale` ask for, which other commands have as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hyperacuity.cli import options as shared
from hyperacuity.cli.values import seconds, texts
from hyperacuity.errors import UsageError
from hyperacuity.size import Size, size_suffix
from hyperacuity.task import ImageOptions, MeasurementOptions, Options, Task, VideoOptions

if TYPE_CHECKING:
    from hyperacuity.tasks import Naming


@dataclass(frozen=True)
class UpscaleRequest:
    """What is to be upscaled, and how.

    Attributes:
        inputs: Files, folders, patterns or pipes.
        naming: How results are named.
        template: The task of each source, without source and target.
    """

    inputs: list[str]
    naming: Naming
    template: Task


def read_request(given: Mapping[str, Any]) -> UpscaleRequest:
    """Returns the request from the parameters of `hyperacuity upscale`, by their names.

    Raises:
        UsageError: An option is wrong, or options contradict each other.
    """
    from hyperacuity.tasks import Naming

    everything = [*(given["inputs"] or []), *(given["more_inputs"] or [])]
    _check(everything, given)
    extension = shared.read_extension(given["ext"])
    size = Size(given["scale"], given["width"], given["height"], given["megapixels"], given["fit"])
    trust = shared.read_trust(
        given["error_map"],
        given["error_map_look"],
        given["error_map_source"],
        given["calibration"],
        given["report"],
        single=len(everything) == 1,
    )
    images = ImageOptions(
        given["quality"],
        extension,
        given["strict"],
        *trust,
        given["samples"],
        given["seed"],
        given["temperature"],
        given["origin"],
    )
    videos = _read_videos(given)
    measurement = MeasurementOptions(
        given["consistent"],
        given["categorical"],
        given["cog"],
        given["allow_generative"],
        given["plane"],
        given["through_plane"],
        given["padding"],
        given["keep_private"],
    )
    template = Task(
        "",
        "",
        size,
        _read_options(given),
        images,
        videos if videos != VideoOptions() else None,
        measurement if measurement != MeasurementOptions() else None,
        given["force"],
        given["skip_existing"],
        given["explain"],
    )
    return UpscaleRequest(
        everything, Naming(given["suffix"], size_suffix(size), extension, given["keep_ending"]), template
    )


def _check(inputs: list[str], given: Mapping[str, Any]) -> None:
    """Raise `UsageError` where options contradict each other."""
    if not inputs:
        raise UsageError("say what to upscale: hyperacuity upscale photo.jpg")
    shared.check_model(given["model"], given["model_path"])
    if given["explain"] and (given["model_path"] is not None or given["model"] not in (None, "auto")):
        raise UsageError("--explain is about the choice of a model: leave -n and -m out")
    if given["suffix"] and {"/", "\\"} & set(given["suffix"]):
        raise UsageError(f"--suffix {given['suffix']}: a suffix is part of a file name; use -o for another folder")
    if given["preview"] is not None and (given["output"] is not None or len(inputs) > 1):
        raise UsageError("--preview is one image of one video or scene: leave -o and all but one input out")


def _read_options(given: Mapping[str, Any]) -> Options:
    return Options(
        model=given["model"],
        model_path=None if given["model_path"] is None else str(given["model_path"]),
        engine=given["engine"],
        device=shared.read_device(given["device"], given["gpu"]),
        precision=shared.read_precision(given["precision"], given["fp32"]),
        tile=shared.read_tile(given["tile"]),
        tta=given["tta"],
        strength=given["strength"],
        faithful=shared.read_faithful(given["faithful"]),
    )


def _read_videos(given: Mapping[str, Any]) -> VideoOptions:
    start, duration, fps = given["start"], given["duration"], given["fps"]
    return VideoOptions(
        codec=given["codec"] or "auto",
        crf=given["crf"],
        preset=given["preset"],
        encoder=texts(given["encoder"] or [], "tune=film", option="-e"),
        start=None if start is None else str(seconds("--start", start)),
        duration=None if duration is None else str(seconds("--duration", duration)),
        fps=None if fps is None else str(_read_rate(fps)),
        deinterlace=given["deinterlace"],
        strict=given["strict"],
        preview=given["preview"] is not None,
    )


def _read_rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"--fps {text}: give frames per second, such as 25 or 30000/1001")
    return rate
