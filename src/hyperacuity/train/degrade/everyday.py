"""Degradations that images on people's disks have: each image has one kind, drawn by its share.

Training on a mixture of simple and heavy degradations, rather than on the heavy chain alone, follows Zhang, Liang, Van
Gool, Timofte: "Designing a Practical Degradation Model for Deep Blind Image Super-Resolution" (BSRGAN), ICCV 2021,
arXiv 2103.14006.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import AfterValidator
from torch import Tensor

from hyperacuity.errors import nearest
from hyperacuity.train.degrade.degradation import Degradation
from hyperacuity.train.degrade.everyday_kinds import CHAIN, KINDS
from hyperacuity.train.degrade.operations.dice import Dice
from hyperacuity.train.degrade.operations.resampling import to_codes
from hyperacuity.train.degrade.ranges import Probability, sum_to_1

SHARES = {
    "web": 0.25,
    "phone": 0.14,
    "double": 0.10,
    "out-of-focus": 0.10,
    "scan": 0.07,
    "screenshot": 0.10,
    "light": 0.08,
    "clean": 0.06,
    "heavy": 0.10,
}
# LR pixels at the border that the widest blur and JPEG's blocks make different from those of a larger image.
MARGIN = 8


def _known(shares: dict[str, float]) -> dict[str, float]:
    for name in shares:
        if name not in KINDS:
            raise ValueError(f"no kind {name!r}; there are {', '.join(KINDS)}{nearest(name, KINDS)}")
    sum_to_1(tuple(shares.values()))
    return shares


class Everyday(Degradation):
    """One kind for each image: of the web, a phone, two JPEGs, out of focus, a scan, a screenshot, light, clean, heavy.

    shares: how likely each kind is; kinds that are left out do not occur.
    """

    kind: Literal["everyday"] = "everyday"
    shares: Annotated[dict[str, Probability], AfterValidator(_known)] = SHARES

    def margin(self, scale: int) -> int:
        """Return the LR pixels in which an image's end can be seen."""
        return max(MARGIN, CHAIN.margin(scale)) if self.shares.get("heavy") else MARGIN

    def degrade(self, hr: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        """See `Degradation.degrade`; computed on the CPU, one image after the other, and luma as a grey image."""
        seeds = torch.randint(2**62, (len(hr),), generator=generator, device=hr.device).tolist()
        codes = []
        for image, seed in zip(hr.cpu(), seeds, strict=True):
            rng = np.random.default_rng(seed)
            kind = draw_kind(rng, self.shares)
            lr = degrade_everyday(image.expand(3, -1, -1), scale, kind, rng).float()
            codes.append(lr if len(image) == 3 else to_codes(lr.mean(0, keepdim=True)))
        return (torch.stack(codes) / 255).to(hr.device)


def degrade_everyday(hr: Tensor, scale: int, kind: str, rng: np.random.Generator) -> Tensor:
    """Make an LR image of one HR image, degraded by one of `KINDS`.

    Args:
        hr: (3, H, W) uint8 on the CPU; the sides divide by `scale`.
        scale: HR pixels for each LR pixel along a side; 1 keeps the size.
        kind: A key of `KINDS`.
        rng: The source of all that is random; the same state gives the same LR.

    Returns:
        (3, H / scale, W / scale) uint8.
    """
    return to_codes(KINDS[kind](hr.float(), scale, Dice(rng))).byte()


def draw_kind(rng: np.random.Generator, shares: Mapping[str, float] = SHARES) -> str:
    """Draw a key of `shares`, each as likely as its share."""
    names = list(shares)
    return names[int(rng.choice(len(names), p=[shares[name] for name in names]))]
