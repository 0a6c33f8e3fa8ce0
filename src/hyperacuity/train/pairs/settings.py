"""The record of a recipe's table [pairs]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from hyperacuity.errors import nearest
from hyperacuity.train.degrade.everyday_kinds import KINDS


def _known(table: dict[str, float]) -> dict[str, float]:
    for name in table:
        if name not in KINDS:
            raise ValueError(f"no kind {name!r}; there are {', '.join(KINDS)}{nearest(name, KINDS)}")
    return table


class LpipsFiles(BaseModel):
    """The files of LPIPS (arXiv 1801.03924) on SqueezeNet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    squeezenet: Path  # torchvision's squeezenet1_1
    linear: Path  # the authors' weights/v0.1/squeeze.pth


class PairsTable(BaseModel):
    """Learn from stored pairs: LR, a teacher's result for it and the truth, each with its kind of degradation.

    Pairs that are missing are made of `data.train`, and for validation of `data.validation`, by the degradation
    `everyday`, before the first step. A step is then several times as fast as with degradation and teacher in it.

    truth: the share of the truth in the target, by kind, the rest being the teacher's result; kinds that are left out
    learn the truth alone. Losses of appearance and an adversary see one of both, drawn for each sample with this
    probability. shares: how often a kind is learnt from, relative to the others; empty to draw each pair equally often.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    folder: str = ""  # where the pairs are; empty for `pairs` in the folder of the run
    count: PositiveInt = 15000
    side: PositiveInt = 64  # LR pixels of a side that are stored
    seed: int = Field(default=1, ge=0)  # decides, with a pair's number, all that is random in it
    teacher: str = ""  # a model by name or file, of this scale or a multiple of it; empty to learn the truth alone
    truth: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], AfterValidator(_known)] = {}
    shares: Annotated[dict[str, PositiveFloat], AfterValidator(_known)] = {}
    validation_per_kind: PositiveInt = 4  # pairs of each kind that are measured at each validation
    lpips: LpipsFiles | None = None  # to measure LPIPS at each validation too
