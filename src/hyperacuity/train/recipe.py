"""The record of a training: everything that decides what comes out of it, read from a TOML file."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from hyperacuity.errors import UsageError, nearest


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(_Record):
    """What the card will say of the model."""

    name: str
    architecture: str
    config: dict[str, Any] = {}
    licence: str
    trained_on: str
    paper: str


class Data(_Record):
    """Folders are searched recursively; relative paths count from where the command is run."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    reports: tuple[Path, ...] = ()  # measured once at the end, for the card; nothing is chosen on them
    rescale: tuple[PositiveFloat, ...] = (1.0,)  # each picture is also used at these sizes
    patch: PositiveInt = 48  # pixels of an LR patch's side
    batch: PositiveInt = 32


class Optimizer(_Record):
    """Adam; the rate rises over `warm_up` steps and falls as a cosine to `final_lr`."""

    lr: PositiveFloat = 1e-3
    final_lr: PositiveFloat = 1e-6
    warm_up: int = Field(default=100, ge=0)
    ema: float = Field(default=0.999, ge=0, lt=1)  # the averaged weights are validated and shipped


class Recipe(_Record):
    model: Model
    data: Data
    optimizer: Optimizer = Optimizer()
    loss: Literal["l1", "mse"] = "l1"
    steps: PositiveInt
    validate_every: PositiveInt = 1000
    seed: int = 0

    def hash(self) -> str:
        """Twelve hex digits that change with anything that decides the weights (so not with paths of reports)."""
        content = self.model_dump_json(exclude={"data": {"reports"}, "validate_every": True})
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def read_recipe(path: Path, changes: dict[str, str] | None = None) -> Recipe:
    """Read a recipe; `changes` maps dotted keys such as "optimizer.lr" to values as TOML writes them.

    Raises `UsageError` that names the key for anything that is missing, unknown or of the wrong kind.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recipe {path}: {error}") from error
    for dotted, text in (changes or {}).items():
        _set(table, dotted, text)
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise UsageError(f"{path}: {'; '.join(_explain(dict(fault)) for fault in error.errors())}") from error


def _set(table: dict[str, Any], dotted: str, text: str) -> None:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word stands for a string
    *parents, last = dotted.split(".")
    for key in parents:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"cannot set {dotted}: {key} is a value, not a table")
    table[last] = value


def _explain(fault: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        return f"{key}: {fault['msg']}"
    record: Any = Recipe
    for part in fault["loc"][:-1]:
        record = record.model_fields[part].annotation
    return f"unknown key {key}{nearest(str(fault['loc'][-1]), record.model_fields)}"
