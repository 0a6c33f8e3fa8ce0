"""The record of a training: everything that decides what comes out of it, read from a TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from hyperacuity.errors import UsageError, nearest
from hyperacuity.train.degrade import Bicubic, BlurBicubic, Chain
from hyperacuity.train.losses import GanLoss, Losses

Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(_Record):
    """What is trained, and what the card will say of it."""

    name: str = Field(pattern=r"^[\w.-]+$")
    architecture: str
    config: dict[str, Any] = {}
    start: str = ""  # a model by name or file, or a checkpoint, to begin from: from all its weights that fit
    fresh: tuple[str, ...] = ()  # but not from those whose names begin so
    licence: str
    trained_on: str
    paper: str


class Data(_Record):
    """Folders are searched recursively; relative paths count from where the command is run."""

    train: tuple[Path, ...] = Field(min_length=1)
    lr: tuple[Path, ...] = ()  # for each folder of `train` its LR pictures, of the same names: no degradation then
    validation: tuple[Path, ...] = ()  # without any, a tenth of the pictures of `train` is set aside for it
    validation_lr: tuple[Path, ...] = ()  # the same for `validation`
    reports: tuple[Path, ...] = ()  # measured once at the end, for the card; nothing is chosen on them
    scales: tuple[PositiveInt, ...] = ()  # for networks that learn several: one at random for each step
    rescale: tuple[PositiveFloat, ...] = (1.0,)  # each picture is also used at these sizes
    patch: PositiveInt = 48  # pixels of a side of what the network gets
    batch: PositiveInt = 32  # for each process
    hardest_of: PositiveInt = 1  # of so many patches drawn, the one is taken that bicubic gives back worst
    workers: int = Field(default=2, ge=0)  # threads that decode, where the pictures do not fit into memory

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if self.lr and (len(self.lr) != len(self.train) or self.rescale != (1.0,) or self.scales):
            raise ValueError("lr needs one folder for each of train, no rescale and no scales")
        if self.validation_lr and len(self.validation_lr) != len(self.validation):
            raise ValueError("validation_lr needs one folder for each of validation")
        return self


class Optimizer(_Record):
    """slower: parameters whose names begin so learn at a part of the rate: `{ "last." = 0.1 }`; at 0 they stay.

    clip_norm: the gradient's length at most. clip_adjustable: each of its numbers within this over the rate (VDSR,
    arXiv 1511.04587, section 3.2). ema: the averaged weights are validated and shipped; 0 for the plain ones.
    """

    kind: Literal["adam", "adamw", "muon", "sgd"] = "adam"
    lr: PositiveFloat = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)  # of adam, adamw, and of muon for what is no kernel
    momentum: Fraction = 0.9  # of muon and sgd
    weight_decay: float = Field(default=0, ge=0)
    slower: dict[str, Annotated[float, Field(ge=0)]] = {}
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
    """A linear warm-up, then the rate times `factor` at each step of `at`, or after every so many."""

    kind: Literal["stairs"] = "stairs"
    warm_up: int = Field(default=0, ge=0)
    at: tuple[PositiveInt, ...] = ()
    every: PositiveInt | None = None
    factor: PositiveFloat = 0.5

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.at) == (self.every is not None):
            raise ValueError("give either at or every")
        return self


class OneCycle(_Record):
    """Up from a part of the rate as half a cosine, and down again to `final_lr` (Smith, Topin, arXiv 1708.07120)."""

    kind: Literal["one-cycle"] = "one-cycle"
    rise: Fraction = 0.3  # the part of the steps in which it rises
    begin: float = Field(default=0.04, gt=0, lt=1)  # of the rate
    final_lr: float = Field(default=1e-6, ge=0)


Schedule = Annotated[Cosine | Stairs | OneCycle, Field(discriminator="kind")]
Degradation = Annotated[Bicubic | BlurBicubic | Chain, Field(discriminator="kind")]


class Discriminator(_Record):
    """The adversary of a GAN. alone: steps at the beginning in which only it learns."""

    architecture: Literal["vgg", "unet"] = "unet"
    config: dict[str, Any] = {}
    loss: GanLoss = "vanilla"
    weight: PositiveFloat = 0.005
    alone: int = Field(default=0, ge=0)
    optimizer: Optimizer = Optimizer(lr=1e-4)


class Variational(_Record):
    """For networks with `elbo_terms`. beta: what a nat for each HR pixel costs, risen to over `warm_up` steps.

    free_bits: nats that each channel of z may carry for nothing (arXiv 1606.04934, appendix C.8).
    """

    beta: PositiveFloat = 1e-3
    warm_up: int = Field(default=1000, ge=0)
    free_bits: float = Field(default=0.05, ge=0)


class Teacher(_Record):
    """A model by name or file whose answers are learnt beside the truth, by their absolute difference."""

    model: str
    weight: PositiveFloat = 1.0


class Trouble(_Record):
    """What to do when the loss is not finite, or is `explosion` times its average.

    rewind: go back to the last checkpoint and go on with the rate times `factor`, at most `attempts` times; stop: end
    with an error. The last checkpoint stays either way.
    """

    action: Literal["rewind", "stop"] = "rewind"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    attempts: PositiveInt = 5
    explosion: Annotated[float, Field(gt=1)] = 100.0


class Recipe(_Record):
    """See the records above; every key that is not named here is refused."""

    model: Model
    data: Data
    degradation: Degradation = Bicubic()
    losses: Losses
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Cosine()
    discriminator: Discriminator | None = None
    variational: Variational | None = None
    teacher: Teacher | None = None
    trouble: Trouble = Trouble()
    steps: PositiveInt
    accumulate: PositiveInt = 1  # batches whose gradients are added up for one step
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False  # by torch.compile, on CUDA only
    validate_every: PositiveInt = 1000  # and a checkpoint with it
    keep: PositiveInt = 2  # the last so many checkpoints; the best weights are kept beside them
    seed: int = Field(default=0, ge=0)
    quick: dict[str, Any] = {}  # changes, by dotted keys, that make a training of seconds of it: for `--quick`

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.variational is not None and self.discriminator is not None:
            raise ValueError("variational and discriminator: leave one of them out")
        return self

    def hash(self) -> str:
        """Twelve hex digits that change with anything that decides the weights (so not with paths of reports)."""
        # What came later counts only where it is used, so that trainings from before can be gone on with.
        data = {"reports", "workers"} | ({"hardest_of"} if self.data.hardest_of == 1 else set())
        model = set() if self.model.fresh else {"fresh"}
        content = self.model_dump_json(
            exclude={"data": data, "model": model, "validate_every": True, "keep": True, "quick": True}
        )
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def read_recipe(path: Path, changes: Mapping[str, Any] | None = None, *, quick: bool = False) -> Recipe:
    """Read a recipe; `changes` maps dotted keys such as "optimizer.lr" to values.

    quick: with the changes of its own `quick` table first.
    Raises `UsageError` that names the key for anything that is missing, unknown or of the wrong kind.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recipe {path}: {error}") from error
    if quick:
        if not isinstance(table.get("quick"), dict):
            raise UsageError(f"{path} has no table [quick]: leave out --quick, or --set what shall be smaller")
        for dotted, value in table["quick"].items():
            _set(table, dotted, value)
    for dotted, value in (changes or {}).items():
        _set(table, dotted, value)
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise UsageError(f"{path}: {'; '.join(_explain(dict(fault)) for fault in error.errors())}") from error


def schema() -> str:
    """The JSON schema of a recipe, for editors that complete and check TOML."""
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
    """The names that the record at `parents` knows; those of a union's members carry the tag of the one meant."""
    record: Any = Recipe.model_json_schema()
    definitions = record["$defs"]
    for part in parents:
        choices = record.get("oneOf") or record.get("anyOf") or []
        if "properties" in record and part in record["properties"]:
            record = record["properties"][part]
        else:
            named = [_resolved(choice, definitions) for choice in choices]
            tagged = [one for one in named if one.get("properties", {}).get("kind", {}).get("const") == part]
            record = next(iter(tagged), {})
        record = _resolved(record, definitions)
    return list(record.get("properties", {}))


def _resolved(record: Any, definitions: Any) -> Any:
    """Follow references, and past the `null` of what may be left out."""
    for choice in record.get("anyOf", []):
        if "$ref" in choice:
            record = choice
    while "$ref" in record:
        record = definitions[record["$ref"].rsplit("/", 1)[1]]
    return record
