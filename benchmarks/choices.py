"""Whether `-n auto` takes the model that a person would take, for images of all kinds.

    python benchmarks/choices.py                    # writes results/choices.csv
    python benchmarks/choices.py --folder images    # and the images, to look at them

`choice_images.py` makes six images of each kind, three of which thresholds may be chosen by; the other three, from
other sources, judge them. Each row of the CSV is one image: what a person would take, the verdict of `decide`, what
`auto` takes, whether that is right, and the measurements. Rows of the group "file" are the photos of
../shared/data/formats/photo.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import choice_images
import numpy as np
import record
from PIL import Image

from hyperacuity import zoo
from hyperacuity.inspection import decide, describe_reason, inspect

# Images are enlarged by this: at larger scales those with faint faults get `photo` too.
SCALE = 2

# What a person takes for the files: by looking at them at 300 %.
FILES = {
    "00003.png": "default",
    "00017_gray.png": "photo",
    "0014.jpg": "photo",
    "0030.jpg": "photo",
    "ADE_val_00000114.jpg": "photo",
    "OST_009.png": "default",
    "children-alpha.png": "default",
    "tree_alpha_16bit.png": "default",
    "wolf_gray.jpg": "either",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write the images")
    parser.add_argument("--only", help="only kinds whose names contain this; nothing is written")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    seconds = 0.0
    for group, kind, number, wanted, made in _images(options.only or ""):
        start = time.process_time()
        found = inspect(made)
        seconds += time.process_time() - start
        verdict = decide(found)
        taken = "default" if zoo.find_role(verdict, SCALE) == zoo.DEFAULT else "photo"
        rows.append(
            {
                "group": group,
                "kind": kind,
                "number": number,
                "wanted": wanted,
                "verdict": verdict,
                "taken": taken,
                "right": "yes" if wanted in (taken, "either") else "no",
                "reason": describe_reason(found),
                "noise": f"{found.noise:.2f}",
                "blockiness": f"{found.blockiness:.2f}",
                "bandwidth": "" if found.bandwidth is None else f"{found.bandwidth:.2f}",
            }
        )
        if options.folder is not None:
            _write(options.folder, f"{kind}-{number}".replace(",", "").replace(" ", "-"), made)
    if not options.only:
        record.save("choices", rows)
    for group in dict.fromkeys(row["group"] for row in rows):
        print(group, dict(Counter(row["right"] for row in rows if row["group"] == group)))
    for row in rows:
        if row["right"] == "no":
            print("wrong:", *(row[each] for each in ("group", "kind", "number", "verdict", "reason")), sep="  ")
    print(f"{1000 * seconds / len(rows):.1f} ms of processor time for each image")


def _images(only: str) -> Iterator[tuple[str, str, int, str, Any]]:
    """Group, kind, number, what a person takes, and the image."""
    for kind, one in choice_images.KINDS.items():
        for number in range(choice_images.EACH if only in kind else 0):
            group = "held out" if number % 2 else "chosen by"
            yield group, kind, number, one.wanted, choice_images.make(kind, number)
    for name, wanted in FILES.items():
        if only in name:
            yield "file", name, 0, wanted, choice_images.SHARED / "formats/photo" / name


def _write(folder: Path, name: str, made: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(made, np.ndarray):
        Image.fromarray(made).save(folder / f"{name}.png")
    elif isinstance(made, bytes):
        ending = next(
            (each for each in ("JFIF", "Adobe", "PNG", "WEBP", "avif", "heic") if each.encode() in made[:40]), "tif"
        )
        (folder / f"{name}.{ending.lower().replace('jfif', 'jpg').replace('adobe', 'jpg')}").write_bytes(made)


if __name__ == "__main__":
    main()
