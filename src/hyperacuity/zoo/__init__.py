"""The models at hand: what each is (its card) and where its files lie.

A model is two files: NAME.safetensors, whose metadata holds the card, and NAME.onnx, the same network for ONNX
Runtime; and where 8 bits pay, NAME-int8.onnx. Those of the package lie in this folder, their hashes in SHA256SUMS: a
name never changes its file.
"bicubic" and "lanczos" are models too, the classical baseline, without any file.

A name such as "fsrcnn-x2" is a family and a scale. Asked for "fsrcnn", the family's member for the scale is taken;
"fast", "balanced" and "best" are families too, under the names of what they are good at.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from hyperacuity.errors import UnknownModel, UsageError, WeightsError, nearest

FOLDER = Path(__file__).parent
# What people ask for who do not want to know networks.
CHOICES = {"fast": "acute-10k", "balanced": "acute-50k", "best": "acute-100k"}
DEFAULT = CHOICES["best"]
CLASSICAL = "classical"

# No network enlarges by more at once, or wants sides that divide by more.
_GREATEST_FACTOR = 1024
# Beyond this, a picture would hardly have a pixel that is not invented.
GREATEST = 32


@dataclass(frozen=True)
class Card:
    """What there is to know of a model without computing with it.

    scale: None for the classical ones, which take any. enlarged: for networks that sharpen an image which bicubic has
    enlarged before them (SRCNN, VDSR; their own scale is 1), how many times they may be given it. channels: "Y" (luma
    of BT.601 in studio range, on [0, 1]) or "RGB". halo, multiple: see `engines.Engine`. activation_bytes: memory for
    each input pixel, float32. whole: it takes statistics of the whole picture, so that no halo makes tiles exact.
    parameters: all learnt numbers. multiply_adds: for each input pixel. quality, ssim: PSNR in dB and SSIM by test set,
    luma as the papers have it, border = scale. licence is that of the weights.
    """

    name: str
    architecture: str
    scale: int | None
    channels: Literal["Y", "RGB"]
    licence: str
    trained_on: str
    paper: str
    config: Mapping[str, Any] = field(default_factory=dict)
    enlarged: tuple[int, ...] = ()
    halo: int = 0
    multiple: int = 1
    activation_bytes: int = 0
    whole: bool = False
    parameters: int = 0
    multiply_adds: int = 0
    steps: int = 0
    seed: int = 0
    recipe: str = ""
    data_fingerprint: str = ""
    quality: Mapping[str, float] = field(default_factory=dict)
    ssim: Mapping[str, float] = field(default_factory=dict)

    def work(self, height: int = 720, width: int = 1280) -> int:
        """Multiply-adds for a result of that size, 1280 x 720 as the papers have it; 0 for resamplers."""
        return self.multiply_adds * height * width // (self.scale or 1) ** 2

    @property
    def family(self) -> str:
        """The name without its scale: "fsrcnn" of "fsrcnn-x2"."""
        return self.name.removesuffix(f"-x{self.scale}")

    @property
    def channel_count(self) -> int:
        return 1 if self.channels == "Y" else 3

    @property
    def network_scale(self) -> int:
        """The scale of a model that is a network. Raises `UsageError` for a classical one."""
        if self.scale is None:
            raise UsageError(f"{self.name} is a resampler; it has no network to run")
        return self.scale

    def to_metadata(self) -> dict[str, str]:
        """For a safetensors file or an ONNX file: both hold strings only, so the card is one JSON string."""
        return {"hyperacuity": json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str] | None) -> Card:
        """Raises `WeightsError` when there is no card in it, or one that this version cannot read."""
        try:
            content = json.loads((metadata or {})["hyperacuity"])
            known = {name: content[name] for name in (entry.name for entry in fields(cls)) if name in content}
            card = cls(**known | {"enlarged": tuple(known.get("enlarged", ()))})
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                "the file carries no card of Hyperacuity in its metadata: hyperacuity import converts it"
            ) from error
        if not card._is_sound():
            raise WeightsError("the card in its metadata is damaged: get the file again")
        return card

    def _is_sound(self) -> bool:
        """Whether everything is what it is to be: else it would fail, or mislead, where it is used."""
        texts = (self.name, self.architecture, self.licence, self.trained_on, self.paper, self.recipe)
        counts = (self.halo, self.activation_bytes, self.parameters, self.multiply_adds, self.steps, self.seed)
        factors = (1 if self.scale is None else self.scale, self.multiple, *self.enlarged)
        tables = (self.config, self.quality, self.ssim)
        return (
            all(isinstance(text, str) for text in texts)
            and all(isinstance(count, int) and count >= 0 for count in counts)
            and all(isinstance(factor, int) and 1 <= factor <= _GREATEST_FACTOR for factor in factors)
            and all(isinstance(table, Mapping) for table in tables)
            and all(isinstance(figure, int | float) for table in tables[1:] for figure in table.values())
            and self.channels in ("Y", "RGB")
        )


@dataclass(frozen=True)
class Model:
    """A card and its files; classical models have none. int8: the network in 8 bits."""

    card: Card
    safetensors: Path | None = None
    onnx: Path | None = None
    int8: Path | None = None


@dataclass(frozen=True)
class Step:
    """One model of a chain, and how much bicubic enlarges its input before it."""

    model: Model
    enlarge: int = 1

    @property
    def scale(self) -> int:
        """What the step makes of a side of one pixel."""
        return self.enlarge * self.model.card.network_scale


def _classical(name: str, paper: str) -> Model:
    return Model(
        Card(name, CLASSICAL, scale=None, channels="RGB", licence="Apache-2.0", trained_on="nothing", paper=paper)
    )


# What the checkpoints of other projects end in.
_FOREIGN = (".pth", ".pt", ".ckpt", ".bin")

RESAMPLERS = {
    "bicubic": _classical("bicubic", "Keys 1981, a = -0.5, as MATLAB's imresize"),
    "lanczos": _classical("lanczos", "Duchon 1979, three lobes"),
}


@functools.cache
def models() -> Mapping[str, Model]:
    """All models of the package by name; the classical ones last."""
    found = {path.stem: open_file(path) for path in sorted(FOLDER.glob("*.safetensors"))}
    return found | RESAMPLERS


@functools.cache
def speed() -> tuple[Mapping[str, float], str]:
    """Megapixels of the result a second by model, and the machine: benchmarks/zoo.py, 8-bit RGB in and out."""
    with (FOLDER / "speed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["model"]: float(row["megapixels_per_second"]) for row in rows}, rows[0]["machine"]


def open_file(path: Path) -> Model:
    """The model in a file: NAME.safetensors or NAME.onnx, its twin beside it.

    Raises `UsageError` when there is no such file, `WeightsError` for one that is not a model of ours.
    """
    if path.suffix.lower() not in (".safetensors", ".onnx"):
        cure = (
            "hyperacuity import converts it"
            if path.suffix.lower() in _FOREIGN
            else "give NAME.safetensors or NAME.onnx"
        )
        raise UsageError(f"{path} is no model file of ours: {cure}")
    weights = path.with_suffix(".safetensors")
    if not weights.is_file():
        beside = "" if path == weights else f"; it holds the card of {path.name} and must lie beside it"
        raise UsageError(f"there is no model file {weights}{beside}")

    import safetensors

    try:
        with safetensors.safe_open(weights, framework="numpy") as file:
            card = Card.from_metadata(file.metadata())
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"{weights} is no readable safetensors file: {error}") from error
    except WeightsError as error:
        raise WeightsError(f"{weights}: {error}") from error
    onnx = path.with_suffix(".onnx")
    int8 = in_8_bits(onnx)
    return Model(card, weights, onnx if onnx.is_file() else None, int8 if int8.is_file() else None)


def in_8_bits(onnx: Path) -> Path:
    """Where the form in 8 bits of the network NAME.onnx lies."""
    return onnx.with_name(f"{onnx.stem}-int8.onnx")


def verify(model: Model) -> None:
    """Compare a model of the package with SHA256SUMS; models from elsewhere are taken as they are.

    Raises `WeightsError` when a file has changed.
    """
    sums = dict(line.split(maxsplit=1)[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    for path in (model.safetensors, model.onnx, model.int8):
        if path is None or path.parent != FOLDER:
            continue
        if sums.get(path.name) != hashlib.sha256(path.read_bytes()).hexdigest():
            raise WeightsError(f"{path} is not the file that was shipped: install hyperacuity again")


def members(name: str) -> list[Model]:
    """The one model called `name`, or all of the family called so, smallest scale first."""
    known = models()
    plain = name.lower().replace("_", "-")
    plain = CHOICES.get(plain, plain)
    if plain in known:
        return [known[plain]]
    family = [model for model in known.values() if model.card.family == plain]
    if not family:
        families = [model.card.family for model in known.values()]
        there = ", ".join([*CHOICES, *known])
        raise UnknownModel(f"no model {name!r}; there are {there}{nearest(plain, [*CHOICES, *known, *families])}")
    return sorted(family, key=lambda model: model.card.network_scale)


def steps(family: Iterable[Model]) -> list[Step]:
    """Every way in which one model of a family can be used, the smallest scale first; none for resamplers."""
    networks = [model for model in family if model.card.scale is not None]
    every = [Step(model, enlarge) for model in networks for enlarge in model.card.enlarged or (1,)]
    return sorted(every, key=lambda step: step.scale)


def chain(family: Iterable[Model], scale: float) -> list[Step]:
    """The shortest chain whose scales multiply to `scale`, or to the least above it; small steps first, since later
    ones work on more pixels. Empty when `scale` is 1 or less, where there is nothing to invent, and for resamplers. A
    model that gives back a picture of the same size, freed of noise or blur, is a chain of its own.

    Raises `UsageError` for more than `GREATEST`, and for another scale than 1 of such a model.
    """
    possible = steps(family)
    if possible and possible[0].scale == 1:
        if scale != 1:
            raise UsageError(f"{possible[0].model.card.name} gives back a picture of the same size: add --scale 1")
        return possible[:1]
    if scale <= 1 or not possible:
        return []
    if scale > GREATEST:
        raise UsageError(f"a scale of {scale:g} is beyond x{GREATEST}, where networks invent: -n bicubic takes any")
    lengths = (itertools.combinations_with_replacement(possible, length) for length in itertools.count(1))
    reaching = ([one for one in chains if _product(one) >= scale] for chains in lengths)
    return list(min(next(filter(None, reaching)), key=_product))


def _product(chain: Iterable[Step]) -> int:
    return math.prod(step.scale for step in chain)
