"""The quality of a network on stored pairs that it does not learn from, by kind of degradation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperacuity import storage
from hyperacuity.networks.perceptual import LPIPS
from hyperacuity.train.degrade.operations.resampling import enlarge
from hyperacuity.train.pairs.settings import LpipsFiles
from hyperacuity.train.pairs.stored import Shard

# HR pixels of each border that are not measured, and pairs that are computed at a time.
BORDER, BATCH = 4, 6
# Pairs of each kind that a sheet shows.
SHOWN = 2

Quality = dict[str, float]


class KindsValidation:
    """Measures PSNR on RGB, and LPIPS, of 8-bit results.

    Args:
        shard: The pairs.
        scale: HR pixels for each LR pixel along a side.
        lpips: The files of LPIPS; None to measure PSNR alone.
        device: Where networks compute.

    Attributes:
        has_teacher: Whether the pairs hold results of a teacher.
    """

    def __init__(
        self, shard: Shard, *, scale: int, lpips: LpipsFiles | None, device: torch.device, has_teacher: bool
    ) -> None:
        self.kinds, self.device, self.has_teacher = shard.kinds, device, has_teacher
        self.lr, self.teacher, self.truth = (
            _planes(each).to(device) for each in (shard.lr, shard.teacher, shard.truth)
        )
        self.bicubic = _rounded(enlarge(self.lr, scale))
        self.distance = None if lpips is None else LPIPS.from_files(lpips.squeezenet, lpips.linear).to(device)

    def references(self) -> dict[str, Quality]:
        """Measure what a network is compared with: bicubic, and the teacher if there is one."""
        made = {"bicubic": self.bicubic} | ({"teacher": self.teacher} if self.has_teacher else {})
        return {name: self._quality(each) for name, each in made.items()}

    def measure(self, network: nn.Module) -> tuple[Quality, NDArray[np.uint8]]:
        """Measure a network.

        Returns:
            Mean PSNR in dB ("psnr") and LPIPS ("lpips"), also by kind ("psnr web"); a sheet (H, W, 3) with two rows
            of each kind side by side, whose columns are bicubic, the network, the teacher if there is one, the truth.
        """
        training = network.training
        network.eval()
        with torch.inference_mode():
            made = _rounded(torch.cat([network(each).float() for each in torch.split(self.lr, BATCH)]))
        network.train(training)
        return self._quality(made), self._sheet(made)

    @torch.inference_mode()
    def _quality(self, made: Tensor) -> Quality:
        inner = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
        error = (made - self.truth)[inner].square().mean((1, 2, 3)).double()
        values = {"psnr": -10 * error.clamp_min(1e-10).log10()}
        if self.distance is not None:
            parts = zip(torch.split(made[inner], BATCH), torch.split(self.truth[inner], BATCH), strict=True)
            values["lpips"] = torch.cat([self.distance(a, b) for a, b in parts])
        quality = {name: value.mean().item() for name, value in values.items()}
        for kind in dict.fromkeys(self.kinds):
            members = torch.tensor([each == kind for each in self.kinds], device=self.device)
            quality |= {f"{name} {kind}": value[members].mean().item() for name, value in values.items()}
        return {name: round(value, 4) for name, value in quality.items()}

    def _sheet(self, made: Tensor) -> NDArray[np.uint8]:
        columns = [self.bicubic, made, *([self.teacher] if self.has_teacher else []), self.truth]
        rows = []
        for kind in dict.fromkeys(self.kinds):
            members = [n for n, each in enumerate(self.kinds) if each == kind]
            shown = [members[n % len(members)] for n in range(SHOWN)]
            rows.append(torch.cat([column[n] for n in shown for column in columns], 2))
        pixels: NDArray[np.uint8] = (torch.cat(rows, 1).permute(1, 2, 0) * 255).round().byte().cpu().numpy()
        return np.ascontiguousarray(pixels)


def write_references(validation: KindsValidation, folder: Path) -> None:
    """Write reference.csv, unless it exists."""
    if not (folder / "reference.csv").exists():
        rows = [{"name": name, **quality} for name, quality in validation.references().items()]
        _write(folder / "reference.csv", rows)


def write_quality(folder: Path, step: int, quality: Mapping[str, float], sheet: NDArray[np.uint8]) -> None:
    """Write the sheet, and the row of a step into kinds.csv; rows of later steps, which were rewound, are removed."""
    import PIL.Image

    rows: list[dict[str, Any]] = []
    if (folder / "kinds.csv").exists():
        with (folder / "kinds.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) < step]
    _write(folder / "kinds.csv", [*rows, {"step": step, **quality}])
    buffer = io.BytesIO()
    PIL.Image.fromarray(sheet).save(buffer, format="PNG")
    storage.write_whole(folder / "sheet.png", buffer.getvalue())


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write_whole(path, text.getvalue().encode())


def _planes(pixels: NDArray[Any]) -> Tensor:
    """Convert (N, H, W, 3) on 0..255 to (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.asarray(pixels).astype(np.float32) / 255).permute(0, 3, 1, 2)


def _rounded(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round() / 255
