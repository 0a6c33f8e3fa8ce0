"""Make and store the pairs that the photo restoration network learns from: LR, a teacher's result, and the truth.

    python benchmarks/photo_pairs.py PAIRS --count 15000 --minutes 25

A stored pair makes a training step about five times as fast as one that degrades images and runs the teacher anew. Pair
n follows from the seed and n alone (pages of text also from the fonts installed, rounding also from the number of
threads), so that an interrupted run continues with the next missing shard. A shard is a folder `shard-00000` with
`lr.npy` (500, 64, 64, 3), `teacher.npy` and `truth.npy` (500, 256, 256, 3), all uint8, and `pairs.csv`, which records
the kind, source image, rescaling and position of each pair, so that its truth can be cut out again. The folder
`validation` has the same four files: every kind of degradation on crops of Kodak24.

The teacher is realesr-general-x4v3 (Wang et al., arXiv 2107.10833; BSD-3-Clause). Its input is 4 pixels larger on each
side than LR.
"""

from __future__ import annotations

import argparse
import csv
import functools
import os
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file
from torch import Tensor, nn

from hyperacuity.networks import build
from hyperacuity.train.degrade.everyday import degrade_everyday, draw_kind
from hyperacuity.train.degrade.everyday_kinds import KINDS

SHARED = Path(__file__).parents[2] / "shared"
TEACHER = "weights/realesr-general-x4v3.safetensors"
SCALE, SIDE, CONTEXT = 4, 64, 4
WINDOW = 96  # LR pixels that are degraded; the pair is cut out at a random position, and with it JPEG's grid
SHARD, BATCH = 500, 10
GRAPHICS = ("screenshot", "text", "drawn")
FONTS = Path("/usr/share/fonts/truetype")
RESCALE = (1.0, 0.75)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?-+()/%&@# eeeaaaiiooonnttrrss      "
Codes = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="PAIRS", help="folder of the shards")
    parser.add_argument("--count", type=int, default=15000)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after the first shard that ends later")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    teacher = _teacher()
    end = time.monotonic() + 60 * options.minutes
    with torch.inference_mode():
        if not (options.folder / "validation").exists():
            images = sorted((SHARED / "data/validation/Kodak24").glob("*.png"))
            _write(options.folder / "validation", list(range(4 * len(KINDS))), images, teacher, 20261128, even=True)
        images = sorted(path for name in ("photos", "photos-more") for path in (SHARED / "data/train" / name).iterdir())
        for shard in range(options.count // SHARD):
            folder = options.folder / f"shard-{shard:05d}"
            if folder.exists():
                continue
            start = time.monotonic()
            _write(folder, list(range(shard * SHARD, (shard + 1) * SHARD)), images, teacher, options.seed)
            print(f"{folder.name} {time.monotonic() - start:.0f} s", flush=True)
            if time.monotonic() > end:
                break


def _teacher() -> nn.Module:
    network = build("compact", {"scale": SCALE, "convs": 32})
    network.load_state_dict(load_file(SHARED / TEACHER))
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _write(
    folder: Path, numbers: list[int], images: list[Path], teacher: nn.Module, seed: int, *, even: bool = False
) -> None:
    """Make the pairs of these numbers; the folder gets its name when it is complete."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    rows: list[dict[str, object]] = []
    lrs: list[Tensor] = []
    truths: list[Tensor] = []
    results: list[Tensor] = []
    for n in numbers:
        row, lr, truth = pair(n, images, seed, list(KINDS)[n % len(KINDS)] if even else None)
        rows.append(row)
        lrs.append(lr)
        truths.append(truth)
        if len(lrs) % BATCH == 0 or n == numbers[-1]:
            batch = torch.stack(lrs[len(results) :]).float().div(255).contiguous(memory_format=torch.channels_last)
            results += list((teacher(batch) * 255).round().clamp(0, 255).byte())
    np.save(fresh / "lr.npy", _pixels(lrs, CONTEXT))
    np.save(fresh / "teacher.npy", _pixels(results, CONTEXT * SCALE))
    np.save(fresh / "truth.npy", _pixels(truths, 0))
    with (fresh / "pairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.replace(fresh, folder)


def _pixels(planes: list[Tensor], margin: int) -> Codes:
    inner = slice(margin, planes[0].shape[-1] - margin)
    return torch.stack([each[:, inner, inner].permute(1, 2, 0) for each in planes]).numpy()


def pair(n: int, images: list[Path], seed: int, kind: str | None = None) -> tuple[dict[str, object], Tensor, Tensor]:
    """Make one pair.

    Args:
        n: The number of the pair.
        images: Source images to draw from.
        seed: Decides, together with `n`, all that is random.
        kind: The kind of degradation; if missing, one is drawn by its share.

    Returns:
        Its row of pairs.csv; LR with `CONTEXT` pixels around it, (3, 72, 72) uint8; the truth, (3, 256, 256) uint8.
    """
    rng = np.random.default_rng([seed, n])
    kind = kind or draw_kind(rng)
    row: dict[str, object] = {"n": n, "kind": kind, "file": "", "rescale": 1.0, "top": 0, "left": 0, "grey": 0}
    side = WINDOW * SCALE
    if kind == "screenshot" and rng.random() < 0.5:
        window = _page_of_text(rng, side)
    else:
        window = _window(rng, images, kind, side, row)
    if kind == "scan" and rng.random() < 0.5:
        row["grey"] = 1
        window = np.asarray(Image.fromarray(window).convert("L").convert("RGB"))
    hr = torch.from_numpy(np.array(window)).permute(2, 0, 1)
    lr = degrade_everyday(hr, SCALE, kind, rng)
    top, left = (int(rng.integers(8, 24)) for _ in range(2))
    row["top"], row["left"] = int(str(row["top"])) + top * SCALE, int(str(row["left"])) + left * SCALE
    lr = lr[:, top - CONTEXT : top + SIDE + CONTEXT, left - CONTEXT : left + SIDE + CONTEXT]
    return row, lr, hr[:, top * SCALE : (top + SIDE) * SCALE, left * SCALE : (left + SIDE) * SCALE]


def _window(rng: np.random.Generator, images: list[Path], kind: str, side: int, row: dict[str, object]) -> Codes:
    graphics = [path for path in images if path.name.startswith(GRAPHICS)]
    chosen = graphics if kind == "screenshot" and graphics else images
    path = chosen[int(rng.integers(len(chosen)))]
    rescale = RESCALE[int(rng.integers(len(RESCALE)))]
    whole = _loaded(path, rescale)
    best: tuple[float, int, int] = (-1.0, 0, 0)
    for _ in range(2):  # of two windows the one with more detail: many are sky
        top, left = (int(rng.integers(size - side + 1)) for size in whole.shape[:2])
        best = max(best, (float(whole[top : top + side, left : left + side].std()), top, left))
    row.update(file=f"{path.parent.name}/{path.name}", rescale=rescale, top=best[1], left=best[2])
    return whole[best[1] : best[1] + side, best[2] : best[2] + side]


@functools.lru_cache(2000)
def _loaded(path: Path, rescale: float) -> Codes:
    """The image, made smaller, but not smaller than a window."""
    image = Image.open(path).convert("RGB")
    least = WINDOW * SCALE / min(image.size)
    factor = max(rescale, least)
    if factor != 1:
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _page_of_text(rng: np.random.Generator, side: int) -> Codes:
    """Draw lines of letters, boxes and buttons in random colours, as on a screen; at twice the size, then halved."""
    dark = rng.random() < 0.35
    paper = rng.integers(0, 60, 3) if dark else rng.integers(200, 256, 3)
    page = Image.new("RGB", (2 * side, 2 * side), tuple(int(code) for code in paper))
    draw = ImageDraw.Draw(page)
    for _ in range(int(rng.integers(0, 7))):
        x, y = (int(v) for v in rng.integers(-100, 2 * side, 2))
        width, height = (int(v) for v in rng.integers(20, side, 2))
        fill = tuple(int(code) for code in rng.integers(0, 256, 3))
        shape = int(rng.integers(3))
        inside, edge = fill if rng.random() < 0.6 else None, int(rng.integers(2, 12))
        place = (x, y, x + width, y + height)
        if shape == 1:
            draw.ellipse(place, fill=inside, outline=fill, width=edge)
        else:
            draw.rounded_rectangle(place, 12 * shape, fill=inside, outline=fill, width=edge)
    fonts = _fonts()
    y = int(rng.integers(-40, 20))
    while y < 2 * side:
        size = int(np.exp(rng.uniform(np.log(40), np.log(180))))
        path = fonts[int(rng.integers(len(fonts)))] if fonts else None
        font = ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
        line = "".join(LETTERS[int(k)] for k in rng.integers(0, len(LETTERS), int(3 * side / size) + 4))
        ink = rng.integers(140, 256, 3) if dark else rng.integers(0, 130, 3)
        for _ in range(int(rng.integers(1, 4))):
            draw.text((int(rng.integers(-60, 60)), y), line, font=font, fill=tuple(int(code) for code in ink))
            y += int(size * 1.3)
            line = line[1:] + line[:1]
        y += int(rng.integers(0, 60))
    return np.asarray(page.resize((side, side), Image.Resampling.BOX))


@functools.cache
def _fonts() -> list[str]:
    return sorted(str(path) for path in FONTS.rglob("*.ttf") if "Math" not in path.name)


if __name__ == "__main__":
    main()
