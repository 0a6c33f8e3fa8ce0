"""Stand-ins for the restoring models: small networks of the right names and cards, with random weights."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from hyperacuity import export, zoo
from hyperacuity.networks import NETWORKS, build
from hyperacuity.zoo import Card, shipped

CONFIG = {**NETWORKS["restorer"].small, "scale": 2}


def write_restorer(folder: Path, name: str, seed: int, **card: Any) -> None:
    torch.manual_seed(seed)
    network = build("restorer", CONFIG).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)  # biases, too, differ between the seeds
    facts = export.measure_network(network)
    whole = Card(name, "restorer", 2, "RGB", "none", "nothing", "none", CONFIG, **facts, **card)
    export.write_model(network, whole, folder)


def write_restorers(folder: Path) -> None:
    write_restorer(folder, "photo-x2", 0, natural="photo-natural-x2", strength=0.5)
    write_restorer(folder, "photo-natural-x2", 1)


def make_zoo(restorers: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a zoo of the default model at x2 and of these models in place of the package's."""
    files = [*restorers.iterdir(), *(zoo.FOLDER / f"{zoo.DEFAULT}-x2.{kind}" for kind in ("onnx", "safetensors"))]
    for file in files:
        shutil.copy(file, folder)
    sums = [f"{hashlib.sha256((folder / file.name).read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(sums))
    shutil.copy(zoo.FOLDER / "speed.csv", folder)
    monkeypatch.setattr(shipped, "FOLDER", folder)
    shipped.models.cache_clear()
    return folder
