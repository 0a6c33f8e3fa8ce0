"""The one table of runners. A new one is a file with the names of `Runner` and one line here."""

from __future__ import annotations

from hyperacuity.cluster.runners import local, ray, slurm
from hyperacuity.cluster.runners.protocol import Runner

RUNNERS: dict[str, Runner] = {
    "local": local,
    "ray": ray,
    "slurm": slurm,
}
