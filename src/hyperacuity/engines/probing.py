"""Makes a card for an ONNX file of another project, by running it on small images.

Found out are: the scale, whether sides must be divisible by something or are fixed, channels first or last, what black
and white are, and how far the network sees. What cannot be found out is assumed: RGB, not BGR.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from hyperacuity.engines.foreign import DTYPES, FOREIGN, Adapter
from hyperacuity.engines.protocol import Batch
from hyperacuity.errors import WeightsError
from hyperacuity.zoo import Card

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Sides to try, most networks' first: it must be divisible by these, and be at least that long.
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_LEASTS = (1, 8, 16, 32, 64)
# Images on which the halo is measured, until it lies within.
_SIDES = (64, 128, 256, 512)
# Black and white as networks take them: x becomes gain * x + shift.
_LEVELS = ((1.0, 0.0), (255.0, 0.0), (2.0, -1.0))
# The mean difference of a result, made small again, from the image; beyond it the network is no enlargement.
_CREDIBLE = 0.25
_LARGEST_SCALE = 16
# Where a network that sees the whole image must be tiled for lack of memory, no halo is right; this is a compromise.
_WHOLE_HALO = 64


def probe(path: Path) -> Card:
    """Measure what a card says of an ONNX file.

    Args:
        path: The file.

    Returns:
        Its card; `config` holds what `foreign.Adapter` needs to know.

    Raises:
        WeightsError: ONNX Runtime cannot load it, or it does not turn one image into an enlarged one.
    """
    session = _load(path)
    form = _form(session, path)
    channels, fixed = form.pop("channels"), form["fixed"]
    multiple, least, scale = _sizes(session, form, channels, path)
    _levels(session, form, channels, scale, fixed or _square(32, multiple, least), path)
    form["least"] = least
    before = psutil.Process().memory_info().rss
    adapter = Adapter(session, form)
    halo, whole, pixels = _halo(adapter, channels, multiple, least, fixed)
    grown = psutil.Process().memory_info().rss - before
    if not (fixed or whole):
        multiple = _period(adapter, channels, multiple, least, halo)
        whole = multiple > _MULTIPLES[-1]
        multiple = min(multiple, _MULTIPLES[-1])
    return Card(
        name=path.stem,
        architecture=FOREIGN,
        scale=scale,
        channels="Y" if channels == 1 else "RGB",
        licence="unknown",
        trained_on="unknown",
        paper="unknown",
        config=form,
        halo=halo,
        multiple=multiple,
        activation_bytes=max(1024, 64 * scale**2, max(0, grown) // pixels),
        whole=whole and fixed is None,
    )


def _load(path: Path) -> InferenceSession:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
        text = str(error)
        if "external" in text.lower() or "model_path" in text or "file_size" in text or "No such file" in text:
            raise WeightsError(
                f"{path} keeps its weights in a second file, such as {path.name}.data, which must lie next to it "
                f"({text.splitlines()[0][:200]})"
            ) from error
        raise WeightsError(f"ONNX Runtime cannot load {path}: {text.splitlines()[0][:300]}") from error


def _form(session: InferenceSession, path: Path) -> dict[str, Any]:
    """What the shapes say: layout, channels, and the fixed sides if they are fixed."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs) or "none"
        raise WeightsError(f"{path} has {len(inputs)} inputs ({names}); only networks that take one image can run")
    given = inputs[0]
    if given.type not in DTYPES:
        raise WeightsError(f"{path} takes {given.type}; an image has float32, float16 or 8 bits")
    shape = given.shape
    if len(shape) != 4:
        raise WeightsError(f"{path} takes an array of {len(shape)} axes {tuple(shape)}, not an image")
    if shape[1] in (1, 3):
        layout, channels, sides = "NCHW", shape[1], shape[2:]
    elif shape[3] in (1, 3):
        layout, channels, sides = "NHWC", shape[3], shape[1:3]
    elif isinstance(shape[1], str) or shape[1] is None:
        layout, channels, sides = "NCHW", 3, shape[2:]
    else:
        raise WeightsError(f"{path} takes {tuple(shape)}: neither grey nor RGB, with channels first or last")
    if isinstance(shape[0], int) and shape[0] not in (1, -1):
        raise WeightsError(f"{path} takes {shape[0]} images at once; export it for one")
    images = [each for each in session.get_outputs() if len(each.shape) == 4]
    if not images:
        raise WeightsError(f"{path} gives no image")
    is_fixed = all(isinstance(side, int) and side > 0 for side in sides)
    return {
        "layout": layout,
        "channels": channels,
        "fixed": [int(side) for side in sides] if is_fixed else None,
        "output": images[0].name,
    }


def _square(side: int, multiple: int, least: int) -> list[int]:
    side = max(side, least)
    return [-(-side // multiple) * multiple] * 2


def _sizes(session: InferenceSession, form: dict[str, Any], channels: int, path: Path) -> tuple[int, int, int]:
    """By what sides must be divisible, how long they must be, and the scale."""
    adapter = Adapter(session, form)
    if form["fixed"]:
        scale, problem = _scale(adapter, channels, form["fixed"])
        if scale is None:
            raise WeightsError(f"{path} does not enlarge an image by a whole number: {problem}")
        return 1, 1, scale
    problem = ""
    for multiple in _MULTIPLES:
        # Sides that are divisible by this multiple and by no larger one, and beyond what a window needs.
        odd = (multiple * -(-65 // multiple) | multiple, multiple * -(-67 // multiple) | multiple)
        scale, problem = _scale(adapter, channels, odd)
        if scale is not None:
            break
    else:
        raise WeightsError(f"{path} does not enlarge an image by a whole number: {problem}")
    for least in _LEASTS:
        short, _ = _scale(adapter, channels, _square(least, multiple, least))
        if short == scale:
            return multiple, max(least, multiple), scale
    return multiple, odd[0], scale


def _scale(adapter: Adapter, channels: int, sides: tuple[int, ...] | list[int]) -> tuple[int | None, str]:
    """The scale on an image of these sides, or what went wrong."""
    height, width = sides
    try:
        result = adapter.run(_texture(channels, height, width))
    except Exception as error:  # the network does not take these sides; ONNX Runtime's exceptions share no class
        return None, str(error).splitlines()[0][:200]
    if result.shape[1] != channels:
        return None, f"from {channels} channels it makes {result.shape[1]}"
    scale, rest = divmod(result.shape[2], height)
    if rest or not 1 <= scale <= _LARGEST_SCALE or result.shape[2:] != (height * scale, width * scale):
        return None, f"from {width}x{height} it makes {result.shape[3]}x{result.shape[2]}"
    return scale, ""


def _texture(channels: int, height: int, width: int) -> Batch:
    """An image of smooth shapes in every channel another, from 0.15 to 0.85."""
    chance = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    planes = []
    for _ in range(channels):
        a, b, phase = (float(chance.uniform(low, high)) for low, high in ((0.1, 0.3), (0.1, 0.3), (0, 6)))
        planes.append(0.5 + 0.35 * np.sin(a * x + b * y + phase))
    return np.stack(planes)[None].astype(np.float32)


def _levels(
    session: InferenceSession, form: dict[str, Any], channels: int, scale: int, sides: list[int], path: Path
) -> None:
    """Find what black and white are, in and out, and whether the output's channels are in the opposite order.

    The right choice is the one with which the result, made small again, is the image that went in. Choices that are
    nearly as good come down to the simplest: a network without biases gives the same on any scale of numbers.
    """
    image = _texture(channels, *sides)
    found: list[tuple[float, dict[str, Any]]] = []
    for (gain, shift), (out_gain, out_shift), swapped in itertools.product(_LEVELS, _LEVELS, (False, True)):
        if swapped and channels == 1:
            continue
        choice = {
            "gain": gain, "shift": shift, "output_gain": out_gain, "output_shift": out_shift, "swapped": swapped,
        }  # fmt: skip
        try:
            result = Adapter(session, form | choice).run(image)
        except Exception as error:
            raise WeightsError(f"{path} failed on an image of {sides[1]}x{sides[0]}: {error}") from error
        small = result.reshape(1, channels, sides[0], scale, sides[1], scale).mean((3, 5))
        off = float(np.abs(small - image).mean()) if np.isfinite(result).all() else np.inf
        found.append((off, choice))
    best = min(off for off, _ in found)
    if best > _CREDIBLE:
        raise WeightsError(
            f"{path} does not enlarge images: its result, made small again, has little to do with what went in"
        )
    form |= next(choice for off, choice in found if off <= 1.5 * best + 0.01)


def _halo(adapter: Adapter, channels: int, multiple: int, least: int, fixed: list[int] | None) -> tuple[int, bool, int]:
    """From how far a pixel influences the result, whether it is from everywhere, and the pixels of the last probe."""
    sizes = [fixed] if fixed else [_square(side, multiple, least) for side in _SIDES]
    reach = 0
    for height, width in sizes:
        reach = _reach(adapter, channels, height, width, multiple)
        if reach < min(height, width) // 2 - multiple:
            return reach, False, height * width
    return min(reach, _WHOLE_HALO), True, height * width


def _reach(adapter: Adapter, channels: int, height: int, width: int, multiple: int) -> int:
    """The largest distance at which the result changes when the pixels in the middle do."""
    chance = np.random.default_rng(1)
    top, left = (side // 2 // multiple * multiple for side in (height, width))
    reach = 0
    for _ in range(2):
        image = chance.random((1, channels, height, width), np.float32)
        other = image.copy()
        other[:, :, top : top + multiple, left : left + multiple] = (
            1 - other[:, :, top : top + multiple, left : left + multiple]
        )
        before, after = adapter.run(image), adapter.run(other)
        scale = before.shape[2] // height
        rows, columns = (np.abs(after - before).max((0, 1)) > 0).nonzero()
        for places, first in ((rows // scale, top), (columns // scale, left)):
            if len(places):
                reach = max(reach, first - int(places.min()), int(places.max()) - (first + multiple - 1))
    return reach


def _period(adapter: Adapter, channels: int, multiple: int, least: int, halo: int) -> int:
    """By how many pixels an image can be moved so that the result only moves: windows of attention lie on a grid.

    More than the largest of `_MULTIPLES` if there is no such number.
    """
    for period in (step for step in _MULTIPLES if step >= multiple):
        side = _square(2 * halo + 3 * period + 8, period, least)[0]
        image = np.random.default_rng(2).random((1, channels, side + period, side + period), np.float32)
        try:
            full, moved = adapter.run(image), adapter.run(np.ascontiguousarray(image[:, :, period:, period:]))
        except Exception:  # sides that the network does not take
            continue
        scale = moved.shape[2] // side
        inner = slice(halo * scale, (side - halo) * scale)
        there = slice((halo + period) * scale, (side - halo + period) * scale)
        if np.abs(full[:, :, there, there] - moved[:, :, inner, inner]).max() <= 1e-3 * max(1.0, np.abs(full).max()):
            return period
    return 2 * _MULTIPLES[-1]
