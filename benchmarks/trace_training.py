"""Trains the network that recognises what a lossy codec left in pixels, for `inspection.traces`.

    python benchmarks/trace_training.py make crops     # 36,000 crops; half an hour on one core
    python benchmarks/trace_training.py train crops    # 14,000 steps; half an hour; writes traces.onnx

Photos under free licences of ../shared/data/train and pages of text are made smaller, so that nothing of their own
compression is left, then changed as photos are: blurred, sharpened, faded, with grain. Half of them are compressed at a
low quality, then mostly cropped, resized and compressed again at a high one; the other half at most at a high one. What
`choice_images.py` judges by is left out. Every twelfth photo is for the report only.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import choice_images
import numpy as np
import torch
from photo_degradations import to_codes
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity import inspection
from hyperacuity.train.pairs.pages import page_of_text

SIDE = 128
KERNELS = (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX, Image.Resampling.BILINEAR)
# Qualities by codec: of what leaves traces, and of what hardly does.
LOW = {"JPEG": (15, 66), "WEBP": (5, 51), "AVIF": (15, 46), "HEIF": (8, 41)}
HIGH = {"JPEG": (90, 99), "WEBP": (82, 97), "AVIF": (70, 91), "HEIF": (70, 91)}
OPTIONS: dict[str, dict[str, Any]] = {"WEBP": {"method": 2}, "AVIF": {"speed": 9}}
# Groups of sources of which every other one judges the choices, see `choice_images.make`.
JUDGED = ("people", "night", "interior", "texture", "landscape", "drawn")
BATCH = 32

Random = np.random.Generator


@dataclass(frozen=True)
class Crops:
    """Luma (N, 128, 128) uint8, whether a codec left traces (N,), and whether there is noise: 1, 0, -1 for between."""

    luma: np.ndarray
    lossy: np.ndarray
    noisy: np.ndarray

    @classmethod
    def read(cls, files: list[Path]) -> Crops:
        parts = [np.load(file) for file in files]
        return cls(*(np.concatenate([part[name] for part in parts]) for name in ("luma", "lossy", "noisy")))

    def write(self, file: Path) -> None:
        np.savez(file, luma=self.luma, lossy=self.lossy, noisy=self.noisy)


class TraceNetwork(nn.Module):
    """Returns the logarithms of the odds of traces, and of noise, (N, 2), for luma (N, 1, H, W) on 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((1, 8, 1), (8, 16, 2), (16, 24, 2), (24, 32, 2), (32, 32, 1)):
            layers += [nn.Conv2d(before, after, 3, stride, 1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.last = nn.Conv2d(32, 2, 1)

    def forward(self, luma: Tensor) -> Tensor:
        x = luma / 32
        x = x - functional.avg_pool2d(x, 9, 1, 4, count_include_pad=False)  # the content, which tells nothing
        odds: Tensor = self.last(self.features(x)).mean((2, 3))
        return odds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("make", "train"))
    parser.add_argument("folder", type=Path, help="of the crops")
    parser.add_argument("--count", type=int, default=36000, help="how many crops are made")
    parser.add_argument("--seed", type=int, default=1, help="of the crops; another one makes further crops")
    parser.add_argument("--steps", type=int, default=14000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    reported = options.folder / "reported.npz"
    if options.part == "make":
        options.folder.mkdir(parents=True, exist_ok=True)
        most, others = photos()
        if not reported.exists():
            make(others, 1500, 0).write(reported)
        make(most, options.count, options.seed).write(options.folder / f"learnt-{options.seed}.npz")
    else:
        learnt = Crops.read(sorted(options.folder.glob("learnt-*.npz")))
        save(train(learnt, Crops.read([reported]), options.steps), Path(inspection.__file__).with_name("traces.onnx"))


def photos() -> tuple[list[Path], list[Path]]:
    """Returns the photos to learn from, and those for the report."""
    train = choice_images.SHARED / "train"
    photo = choice_images.sources("photo")
    originals = {path.name.rsplit("-", 1)[0] for path in photo}
    judged = {path for group in JUDGED for path in choice_images.sources(group)[1::2]}
    files = [path for path in sorted((train / "photos").glob("*.jpg")) if path not in judged]
    files += [
        path for path in sorted((train / "photos-more").glob("*.jpg")) if path.name.rsplit("-", 1)[0] not in originals
    ]
    return [path for number, path in enumerate(files) if number % 12], files[::12]


def make(files: list[Path], count: int, seed: int) -> Crops:
    """Returns `count` crops of the photos."""
    made = [example(files, np.random.default_rng([seed, number])) for number in range(count)]
    return Crops(*(np.array(values) for values in zip(*made, strict=True)))


def example(files: list[Path], rng: Random) -> tuple[np.ndarray, bool, int]:
    """Returns one crop, the one with more contrast of two of an image, and what was done to it."""
    image, noisy = captured(original(files, rng), rng)
    lossy = bool(rng.random() < 0.5)
    if lossy:
        image = travelled(image, rng)
        noisy = -1 if noisy else 0  # a codec takes some of the noise away
    if rng.random() < (0.4 if lossy else 0.6):
        image = compressed(image, HIGH, rng)
    luma = np.asarray(image.convert("L"))
    places = [[int(rng.integers(length - SIDE + 1)) for length in luma.shape] for _ in range(2)]
    crops = [luma[top : top + SIDE, left : left + SIDE] for top, left in places]
    return max(crops, key=np.std), lossy, noisy


def original(files: list[Path], rng: Random) -> Image.Image:
    """Returns a photo or a page, made smaller by 1.5 to 3."""
    if rng.random() < 0.06:
        image = Image.fromarray(page_of_text(rng, 500))
    else:
        image = Image.open(files[rng.integers(len(files))]).convert("RGB")
    return resized(image, 1 / rng.uniform(1.5, 3), rng, least=176)


def captured(image: Image.Image, rng: Random) -> tuple[Image.Image, int]:
    """Returns an image as cameras and editors leave it, and whether it has noise: 1, 0, or -1 for between."""
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 2.5)))
    if rng.random() < 0.12:
        image = resized(image, rng.uniform(1.2, 2), rng)
    if rng.random() < 0.1:
        image = image.filter(ImageFilter.MedianFilter(3))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.UnsharpMask(rng.uniform(0.5, 1.5), int(rng.uniform(20, 120)), 0))
    pixels = np.asarray(image).astype(float)
    if rng.random() < 0.4:
        pixels = (pixels - 128) * rng.uniform(0.3, 1.1) + 128 + rng.uniform(-40, 40)
    draw, noisy = rng.random(), 0
    if draw < 0.25:
        light = np.sqrt(np.clip(pixels, 0, 255) / 255) if rng.random() < 0.5 else 1
        pixels, noisy = pixels + grain(pixels.shape, rng) * rng.uniform(4, 18) * light, 1
    elif draw < 0.4:
        pixels, noisy = pixels + grain(pixels.shape, rng) * rng.uniform(1.2, 4), -1
    elif draw < 0.55:
        pixels = pixels + grain(pixels.shape, rng) * rng.uniform(0, 1.2)
    return Image.fromarray(to_codes(pixels)), noisy


def travelled(image: Image.Image, rng: Random) -> Image.Image:
    """Returns an image that was compressed at a low quality, and mostly cropped and resized since."""
    image = compressed(image, LOW, rng)
    if rng.random() < 0.3:
        image = image.crop((int(rng.integers(0, 16)), int(rng.integers(0, 16)), *image.size))
    draw = rng.random()
    if draw < 0.6:
        image = resized(image, rng.uniform(0.66, 1) if draw < 0.33 else rng.uniform(1, 1.6), rng)
    return image


def compressed(image: Image.Image, qualities: dict[str, tuple[int, int]], rng: Random) -> Image.Image:
    codec = str(rng.choice(list(qualities), p=(0.6, 0.2, 0.1, 0.1)))
    options = {"subsampling": int(rng.choice((0, 2), p=(0.25, 0.75)))} if codec == "JPEG" else OPTIONS.get(codec, {})
    data = choice_images.saved(image, codec, quality=int(rng.integers(*qualities[codec])), **options)
    return Image.fromarray(choice_images.opened(data))


def resized(image: Image.Image, factor: float, rng: Random, least: int = SIDE + 2) -> Image.Image:
    width, height = (max(least, round(side * factor)) for side in image.size)
    return image.resize((width, height), KERNELS[rng.integers(len(KERNELS))])


def grain(shape: tuple[int, ...], rng: Random) -> np.ndarray:
    """Returns noise of deviation 1: white or smoothed by demosaicing, grey or in colour."""
    if rng.random() < 0.6:
        noise = choice_images.smooth_noise(shape, rng.uniform(0.3, 0.8), rng)
    else:
        noise = rng.normal(size=shape)
    if rng.random() < 0.5:
        noise = noise[..., :1].repeat(shape[2], 2)
    scaled: np.ndarray = noise / noise.std()
    return scaled


def train(learnt: Crops, reported: Crops, steps: int) -> TraceNetwork:
    torch.manual_seed(0)
    network, rng = TraceNetwork(), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    start = time.perf_counter()
    for step in range(1, steps + 1):
        chosen = rng.integers(0, len(learnt.luma), BATCH)
        luma = torch.from_numpy(learnt.luma[chosen]).float()[:, None]
        luma = luma.flip(3) if rng.random() < 0.5 else luma
        luma = luma.transpose(2, 3) if rng.random() < 0.5 else luma
        side = SIDE if rng.random() < 0.3 else int(rng.integers(SIDE // 2, SIDE + 1))
        odds = network(luma[:, :, SIDE - side :, :side])
        lossy, noisy = (torch.from_numpy(each[chosen]).float() for each in (learnt.lossy, learnt.noisy))
        loss = functional.binary_cross_entropy_with_logits(odds[:, 0], lossy)
        known = noisy >= 0
        loss = loss + 0.5 * functional.binary_cross_entropy_with_logits(odds[known, 1], noisy[known])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 500 == 0 or step == steps:
            print(f"step {step}: {time.perf_counter() - start:.0f} s, {report(network, reported)}", flush=True)
    return network


def report(network: TraceNetwork, crops: Crops) -> str:
    """Returns how many crops are recognised, and how many of those with traces where 1 % of the others are, too."""
    with torch.no_grad():
        parts = [crops.luma[start : start + 50, None] for start in range(0, len(crops.luma), 50)]
        odds = torch.cat([network(torch.from_numpy(part).float()) for part in parts]).numpy()[:, 0]
    least = np.quantile(odds[~crops.lossy], 0.99)
    right, found = ((odds > 0) == crops.lossy).mean(), (odds[crops.lossy] > least).mean()
    return f"{right:.1%} right, {found:.1%} found where 1 % are false alarms"


def save(network: TraceNetwork, path: Path) -> None:
    axes = {"luma": {0: "n", 2: "height", 3: "width"}, "odds": {0: "n"}}
    luma = torch.zeros(2, 1, SIDE, SIDE)
    torch.onnx.export(
        network,
        (luma,),
        path,
        input_names=["luma"],
        output_names=["odds"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main()
