"""The record of a run: everything that decides its result, read from a TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator
from pydantic_core import to_json

from hyperacuity.errors import LEAVE_OUT, UsageError, Use, describe_os_error, nearest
from hyperacuity.train.degrade import Bicubic, Degradation, Everyday, any_degradation
from hyperacuity.train.losses import Losses, any_losses
from hyperacuity.train.pairs.settings import PairsTable
from hyperacuity.train.table_field import TableField

Fraction = Annotated[float, Field(ge=0, lt=1)]
GanLoss = Literal["vanilla", "lsgan", "hinge", "relativistic"]

# Older runs were hashed with these losses also where unset. Losses added later count only where they are used, so that
# older runs can be resumed. For the same reason, renamed keys are hashed under their first names, their
# `serialization_alias`.
# Likewise, keys in `UNHASHED_DEFAULTS` count only where they have other values than these.
HASHED_WHEN_UNSET = {"l1", "mse", "charbonnier", "ssim", "fft", "tv", "consistency", "perceptual", "lpips"}
UNHASHED_DEFAULTS: dict[str, dict[str, Any]] = {
    "": {"window": None, "pairs": None},
    "data": {"hardest_of": 1},
    "model": {"fresh": []},
    "discriminator": {"batch_fraction": 1.0, "warm_up": 0},
}
# What a run is measured with, and what its card says, do not decide the weights.
UNHASHED: Any = {
    "data": {"reports", "workers"},
    "model": {"natural", "strength"},
    "pairs": {"lpips", "validation_per_kind"},
    **dict.fromkeys(("validate_every", "keep", "quick"), True),
}


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelTable(_Record):
    """The model to train, and facts for its card.

    start: a model by name or file, or a checkpoint; all of its weights that fit are taken over. reinitialise: prefixes
    of the names of parameters that are initialised afresh all the same. natural: the name of a model of the same
    network, trained without an adversary, towards which `upscale` can blend the weights. strength: where between the
    two it does so by default, 1 for the weights of this model.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    architecture: str
    config: dict[str, Any] = {}
    start: str = ""
    reinitialise: tuple[str, ...] = Field(default=(), serialization_alias="fresh")
    natural: str = ""
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    licence: str
    trained_on: str
    paper: str


class Data(_Record):
    """Folders are searched recursively; relative paths start at the working directory."""

    train: tuple[Path, ...] = Field(min_length=1)
    lr: tuple[Path, ...] = ()  # LR images for each folder of `train`, of the same names, instead of a degradation
    validation: tuple[Path, ...] = ()  # if empty, a tenth of the images of `train` is set aside
    validation_lr: tuple[Path, ...] = ()  # the same for `validation`
    reports: tuple[Path, ...] = ()  # test sets, measured once at the end, for the card
    scales: tuple[PositiveInt, ...] = ()  # for networks that learn several: one, drawn at random, for each step
    rescale: tuple[PositiveFloat, ...] = (1.0,)  # each image is used at these sizes
    patch: PositiveInt = 48  # side of the network's input, in pixels
    batch: PositiveInt = 32  # per process
    hardest_of: PositiveInt = 1  # draw this many patches and use the one that bicubic restores worst
    workers: int = Field(default=2, ge=0)  # threads that decode images, if these do not fit into memory

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if self.lr and (len(self.lr) != len(self.train) or self.rescale != (1.0,) or self.scales):
            raise ValueError("lr needs one folder for each of train, no rescale and no scales")
        if self.validation_lr and len(self.validation_lr) != len(self.validation):
            raise ValueError("validation_lr needs one folder for each of validation")
        return self


class Optimizer(_Record):
    """How weights are updated.

    lr: the highest learning rate. rate_factors: factors of the learning rate by prefixes of parameters' names, as in
    `{ "last." = 0.1 }`; parameters with a factor of 0 are not trained. clip_norm: the largest norm of the gradient.
    clip_adjustable: the largest absolute value of its elements, times the learning rate (VDSR, arXiv 1511.04587,
    section 3.2). ema: decay of the averaged weights, which are validated and written; 0 for no average.
    """

    kind: Literal["adam", "adamw", "muon", "sgd"] = "adam"
    lr: PositiveFloat = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)  # of adam, adamw, and of muon for parameters other than kernels
    momentum: Fraction = 0.9  # of muon and sgd
    weight_decay: float = Field(default=0, ge=0)
    rate_factors: dict[str, Annotated[float, Field(ge=0)]] = Field(default={}, serialization_alias="slower")
    clip_norm: PositiveFloat | None = None
    clip_adjustable: PositiveFloat | None = None
    ema: Fraction = 0.999

    @model_validator(mode="after")
    def _one_clip(self) -> Self:
        if self.clip_norm is not None and self.clip_adjustable is not None:
            raise ValueError("clip_norm and clip_adjustable: leave one of them out")
        return self


class Cosine(_Record):
    """A linear warm-up, then half a cosine down to `final_lr`."""

    kind: Literal["cosine"] = "cosine"
    warm_up: int = Field(default=100, ge=0)
    final_lr: float = Field(default=1e-6, ge=0)


class Stairs(_Record):
    """A linear warm-up, then the learning rate times `factor` at each of `milestones`, or after `every` steps."""

    kind: Literal["stairs"] = "stairs"
    warm_up: int = Field(default=0, ge=0)
    milestones: tuple[PositiveInt, ...] = Field(default=(), serialization_alias="at")
    every: PositiveInt | None = None
    factor: PositiveFloat = 0.5

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.milestones) == (self.every is not None):
            raise ValueError("give either milestones or every")
        return self


class OneCycle(_Record):
    """Half a cosine up from `initial_factor` times the learning rate, then half a cosine down to `final_lr`.

    rise_fraction: the part of the steps in which it rises. Source: Smith, Topin, arXiv 1708.07120.
    """

    kind: Literal["one-cycle"] = "one-cycle"
    rise_fraction: Fraction = Field(default=0.3, serialization_alias="rise")
    initial_factor: float = Field(default=0.04, gt=0, lt=1, serialization_alias="begin")
    final_lr: float = Field(default=1e-6, ge=0)


Schedule = Annotated[Cosine | Stairs | OneCycle, Field(discriminator="kind")]


class Discriminator(_Record):
    """The adversary of a GAN.

    pretrain_steps: steps at the beginning in which only the discriminator learns. warm_up: steps, after these, in which
    the weight grows from 0. batch_fraction: the part of each batch that the discriminator learns from.
    """

    architecture: Literal["vgg", "unet"] = "unet"
    config: dict[str, Any] = {}
    loss: GanLoss = "vanilla"
    weight: PositiveFloat = 0.005
    pretrain_steps: int = Field(default=0, ge=0, serialization_alias="alone")
    warm_up: int = Field(default=0, ge=0)
    batch_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    optimizer: Optimizer = Optimizer(lr=1e-4)


class Variational(_Record):
    """For variational networks. beta: the cost of a nat per HR pixel, reached after `warm_up` steps.

    free_bits: nats of each channel of z that cost nothing (arXiv 1606.04934, appendix C.8).
    """

    beta: PositiveFloat = 1e-3
    warm_up: int = Field(default=1000, ge=0)
    free_bits: float = Field(default=0.05, ge=0)


class Teacher(_Record):
    """A model, by name or file, whose results are learnt in addition to the truth, by L1."""

    model: str
    weight: PositiveFloat = 1.0


class Divergence(_Record):
    """What to do when the loss is not finite, or exceeds `explosion` times its average.

    rewind: continue from the last checkpoint with the learning rate times `factor`, at most `attempts` times; stop: end
    with an error. The last checkpoint is kept in either case.
    """

    action: Literal["rewind", "stop"] = "rewind"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    attempts: PositiveInt = 5
    explosion: Annotated[float, Field(gt=1)] = 100.0


class Recipe(_Record):
    """A whole recipe; unknown keys are refused."""

    model: ModelTable
    data: Data
    pairs: PairsTable | None = None
    degradation: Annotated[Degradation, TableField(any_degradation)] = Bicubic()
    losses: Annotated[Losses, TableField(any_losses)]
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Cosine()
    discriminator: Discriminator | None = None
    variational: Variational | None = None
    teacher: Teacher | None = None
    divergence: Divergence = Field(default=Divergence(), serialization_alias="trouble")
    steps: PositiveInt
    window: PositiveInt | None = None  # HR pixels a side, at random places, that appearance and adversary are judged by
    accumulate: PositiveInt = 1  # batches whose gradients are averaged for one step
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False  # with torch.compile, on CUDA only
    validate_every: PositiveInt = 1000  # steps between validations, each followed by a checkpoint
    keep: PositiveInt = 2  # how many checkpoints to keep, in addition to the best weights
    seed: int = Field(default=0, ge=0)
    quick: dict[str, Any] = {}  # changes, by dotted keys, for a trial run of seconds

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.variational is not None and self.discriminator is not None:
            raise ValueError("variational and discriminator: leave one of them out")
        if self.pairs is not None:
            _check_pairs(self, self.pairs)
        return self

    def hash(self) -> str:
        """Compute twelve hex digits over all that decides the weights (so not, for example, the test sets)."""
        content = self.model_dump(mode="json", by_alias=True, exclude=UNHASHED)
        for table, defaults in UNHASHED_DEFAULTS.items():
            keys = content[table] if table else content
            for name, default in defaults.items():
                if keys is not None and keys[name] == default:
                    del keys[name]
        kept = HASHED_WHEN_UNSET | self.losses.chosen().keys()
        content["losses"] = {name: value for name, value in content["losses"].items() if name in kept}
        return hashlib.sha256(to_json(content)).hexdigest()[:12]


def _check_pairs(recipe: Recipe, pairs: PairsTable) -> None:
    """Check that nothing in a recipe contradicts its table [pairs]."""
    if not isinstance(recipe.degradation, Everyday):
        raise ValueError("pairs are degraded by kinds: set degradation.kind to everyday")
    if recipe.teacher is not None:
        raise ValueError("the results of pairs.teacher are stored: leave the table [teacher] out")
    if recipe.data.lr or recipe.data.scales or recipe.data.hardest_of > 1 or recipe.variational is not None:
        raise ValueError("pairs: leave out data.lr, data.scales, data.hardest_of and variational")
    if not recipe.data.validation:
        raise ValueError("pairs need data.validation, images to measure on")
    if recipe.data.patch > pairs.side:
        raise ValueError(f"data.patch: pairs have {pairs.side} LR pixels a side (pairs.side)")


def read_recipe(path: Path, changes: Mapping[str, Any] | None = None, *, quick: bool = False) -> Recipe:
    """Read a recipe.

    Args:
        path: A TOML file.
        changes: Values by dotted keys, such as "optimizer.lr", that replace those of the file.
        quick: Apply the changes of the recipe's own table [quick] first.

    Raises:
        UsageError: For a key that is missing, unknown or of the wrong type; the message names it.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {describe_os_error(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recipe {path}: {error}") from error
    if quick:
        if not isinstance(table.get("quick"), dict):
            raise UsageError(f"{path} has no table [quick]", Use(quick=LEAVE_OUT))
        for dotted, value in table["quick"].items():
            _set(table, dotted, value)
    for dotted, value in (changes or {}).items():
        _set(table, dotted, value)
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise UsageError(f"{path}: {'; '.join(_explain(dict(fault)) for fault in error.errors())}") from error


def schema() -> str:
    """Return the JSON schema of recipes, for editors that complete and check TOML."""
    return json.dumps(Recipe.model_json_schema(), indent=2) + "\n"


def _set(table: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for key in parents:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"cannot set {dotted}: {key} is a value, not a table")
    table[last] = value


def _explain(fault: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        return f"{key}: {fault['msg']}" if key else str(fault["msg"])
    return f"unknown key {key}{nearest(str(fault['loc'][-1]), _fields(fault['loc'][:-1]))}"


def _fields(parents: tuple[Any, ...]) -> list[str]:
    """Return the fields of the record at `parents`; the path into a union contains the kind of its member."""
    record: Any = Recipe.model_json_schema()
    definitions = record["$defs"]
    for part in parents:
        choices = record.get("oneOf") or record.get("anyOf") or []
        if "properties" in record and part in record["properties"]:
            record = record["properties"][part]
        else:
            named = [_resolved(choice, definitions) for choice in choices]
            members = [one for one in named if one.get("properties", {}).get("kind", {}).get("const") == part]
            record = next(iter(members), {})
        record = _resolved(record, definitions)
    return list(record.get("properties", {}))


def _resolved(record: Any, definitions: Any) -> Any:
    """Follow references, also those of optional fields."""
    for choice in record.get("anyOf", []):
        if "$ref" in choice:
            record = choice
    while "$ref" in record:
        record = definitions[record["$ref"].rsplit("/", 1)[1]]
    return record
