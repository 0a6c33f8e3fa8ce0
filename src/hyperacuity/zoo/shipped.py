"""The models of the package: files in this folder, their hashes in SHA256SUMS, their speed in speed.csv."""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

from hyperacuity.errors import WeightsError
from hyperacuity.zoo.card import CLASSICAL, Card
from hyperacuity.zoo.files import Model, open_model

FOLDER = Path(__file__).parent


def _classical(name: str, paper: str) -> Model:
    return Model(
        Card(name, CLASSICAL, scale=None, channels="RGB", licence="Apache-2.0", trained_on="nothing", paper=paper)
    )


RESAMPLERS = {
    "bicubic": _classical("bicubic", "Keys 1981, a = -0.5, as MATLAB's imresize"),
    "lanczos": _classical("lanczos", "Duchon 1979, three lobes"),
}


@functools.cache
def models() -> Mapping[str, Model]:
    """Returns all models of the package by name; the classical ones last."""
    found = {path.stem: open_model(path) for path in sorted(FOLDER.glob("*.safetensors"))}
    return found | RESAMPLERS


@functools.cache
def speed() -> tuple[Mapping[str, float], str]:
    """Returns megapixels of output per second by model, and the machine on which benchmarks/zoo.py measured them."""
    with (FOLDER / "speed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["model"]: float(row["megapixels_per_second"]) for row in rows}, rows[0]["machine"]


def verify(model: Model) -> None:
    """Compare a model of the package with SHA256SUMS; models in other folders are not checked.

    Raises:
        WeightsError: A file has changed.
    """
    sums = dict(line.split(maxsplit=1)[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    for path in (model.safetensors, model.onnx, model.int8, model.sampler):
        if path is None or path.parent != FOLDER:
            continue
        if sums.get(path.name) != hashlib.sha256(path.read_bytes()).hexdigest():
            raise WeightsError(f"{path} is not the file that was shipped; install hyperacuity again")
