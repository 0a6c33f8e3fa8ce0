"""Write the photo models from the runs of `photo_train.py` and `photo_finish.py`, with their cards.

    python benchmarks/photo_models.py PAIRS FIRST_RUN SECOND_RUN [FOLDER]

photo-natural-x4 is the first stage, photo-x4 the second; FOLDER is the zoo if missing, whose SHA256SUMS follows. The
PSNR and SSIM on the cards are those of bicubic LR without any degradation, as for every other model: what a photo model
loses there is the price of its cleaning. "validation" is the mean PSNR over all kinds of degradation of the validation
pairs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import statistics
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file

from hyperacuity import export, zoo
from hyperacuity.networks.restorer import Restorer, RestorerConfig
from hyperacuity.train import checkpoint, validation
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
    parser.add_argument("pairs", type=Path, metavar="PAIRS")
    parser.add_argument("first", type=Path, metavar="FIRST_RUN")
    parser.add_argument("second", type=Path, metavar="SECOND_RUN")
    parser.add_argument("folder", type=Path, nargs="?", default=zoo.FOLDER, metavar="FOLDER")
    options = parser.parse_args()
    names = (f"photo-natural-x{SCALE}", f"photo-x{SCALE}")
    for name, run in zip(names, (options.first, options.second), strict=True):
        write(name, run, options.pairs, names[0] if name != names[0] else "", options.folder)
    if options.folder == zoo.FOLDER:
        _sum(options.folder)


def write(name: str, run: Path, pairs: Path, natural: str, folder: Path) -> None:
    """Write one model.

    Args:
        name: Its name.
        run: The folder of its run.
        pairs: The folder of the pairs that it learnt from.
        natural: The name of its partner, "" for none.
        folder: Where to write.
    """
    network = Restorer(RestorerConfig(scale=SCALE, folded=True))
    network.load_state_dict(load_file(run / "ema.safetensors"))
    network.eval()
    state = checkpoint.load(run / "last.pt")
    with (run / "kinds.csv").open(newline="") as file:
        quality = {"validation": float(list(csv.DictReader(file))[-1]["psnr"])}
    ssim = {}
    for folder_of_set in SETS:
        images = list(validation.held_out(find_test_set(folder_of_set), SCALE, 3, Bicubic()))
        measured = [validation.quality(network, image, torch.device("cpu")) for image in images]
        quality[folder_of_set.name] = round(statistics.fmean(value for value, _ in measured), 3)
        similar = [validation.similarity(result, image) for (_, result), image in zip(measured, images, strict=True)]
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
        steps=state["step"],
        seed=state["recipe"]["seed"],
        recipe=_digest([json.dumps(state["recipe"], sort_keys=True).encode()]),
        data_fingerprint=_digest(path.read_bytes() for path in sorted(pairs.glob("shard-*/pairs.csv"))),
        natural=natural,
        strength=STRENGTH if natural else 1.0,
        quality=quality,
        ssim=ssim,
        **export.measure_network(network),
    )
    export.write_model(network, card, folder)
    print(name, state["step"], quality)


def _digest(parts: Iterable[bytes]) -> str:
    """Twelve hexadecimal digits over all parts."""
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _sum(folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.suffix in (".onnx", ".safetensors"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
