"""Write the photo models from the runs of `photo_train.py` and `photo_finish.py`, with their cards.

    python benchmarks/photo_models.py FIRST_RUN SECOND_RUN [FOLDER]

photo-natural-x4 is the first stage, photo-x4 the second; FOLDER is the zoo if missing, whose SHA256SUMS follows. The
PSNR and SSIM on the cards are those of bicubic LR without any degradation, as for every other model: what a photo model
loses there is the price of its cleaning.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hyperacuity import export, zoo
from hyperacuity.networks.restorer import Restorer, RestorerConfig
from hyperacuity.train import validation
from hyperacuity.train.degrade import Bicubic
from hyperacuity.train.images import find_test_set
from hyperacuity.zoo import Card

SETS = [Path(__file__).parents[2] / "shared/data/benchmarks" / name for name in ("Set5", "Set14", "B100")]
SCALE = 4
TRAINED_ON = (
    "413 photos under free licences (Unsplash, Pexels, CC0, public domain, MIT), degraded, and the results of "
    "realesr-general-x4v3 (Xintao Wang et al., BSD-3-Clause) for them"
)
# The default of `strength`, between photo-natural (0) and photo (1): see docs/training-queue.md.
STRENGTH = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, metavar="FIRST_RUN")
    parser.add_argument("second", type=Path, metavar="SECOND_RUN")
    parser.add_argument("folder", type=Path, nargs="?", default=zoo.FOLDER, metavar="FOLDER")
    options = parser.parse_args()
    names = (f"photo-natural-x{SCALE}", f"photo-x{SCALE}")
    for name, run in zip(names, (options.first, options.second), strict=True):
        write(name, run / "ema.safetensors", names[0] if name != names[0] else "", options.folder)
    if options.folder == zoo.FOLDER:
        _sum(options.folder)


def write(name: str, weights: Path, natural: str, folder: Path) -> None:
    """Write one model.

    Args:
        name: Its name.
        weights: Folded weights of a Restorer.
        natural: The name of its partner, "" for none.
        folder: Where to write.
    """
    network = Restorer(RestorerConfig(scale=SCALE, folded=True))
    network.load_state_dict(load_file(weights))
    network.eval()
    with safe_open(weights, "pt") as file:
        steps = int(file.metadata()["step"])
    quality, ssim = {}, {}
    for folder_of_set in SETS:
        pairs = list(validation.held_out(find_test_set(folder_of_set), SCALE, 3, Bicubic()))
        measured = [validation.quality(network, pair, torch.device("cpu")) for pair in pairs]
        quality[folder_of_set.name] = round(statistics.fmean(value for value, _ in measured), 3)
        similar = [validation.similarity(result, pair) for (_, result), pair in zip(measured, pairs, strict=True)]
        ssim[folder_of_set.name] = round(statistics.fmean(similar), 4)
    card = Card(
        name=name,
        architecture="restorer",
        config={"scale": SCALE, "folded": True},
        scale=SCALE,
        channels="RGB",
        licence="Apache-2.0",
        trained_on=TRAINED_ON,
        paper="none",
        steps=steps,
        natural=natural,
        strength=STRENGTH if natural else 1.0,
        quality=quality,
        ssim=ssim,
        **export.measure_network(network),
    )
    export.write_model(network, card, folder)
    print(name, steps, quality)


def _sum(folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.suffix in (".onnx", ".safetensors"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
