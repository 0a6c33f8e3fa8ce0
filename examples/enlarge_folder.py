"""Enlarge every image of a folder, and continue past files that are no images.

    python examples/enlarge_folder.py [SOURCE] [TARGET]

Without arguments it enlarges a part of astronaut.png in a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import PIL.Image

import hyperacuity

EXAMPLE = Path(__file__).with_name("astronaut.png")


def enlarge(source: Path, target: Path) -> list[Path]:
    """Enlarge the files of `source` into `target`, which must exist, and return those that failed."""
    failed = []
    for path in sorted(source.iterdir()):
        try:
            result = hyperacuity.upscale(path, scale=2, model="fast", output=target / path.name, force=True)
            print(f"{path.name} -> {result.name}")
        except hyperacuity.HyperacuityError as error:
            failed.append(path)
            print(f"{path.name}: {error}")
    return failed


def main(arguments: list[str]) -> None:
    """Use the folders that were given, or make two."""
    with tempfile.TemporaryDirectory() as temporary:
        source, target = (Path(each) for each in arguments or (Path(temporary, "in"), Path(temporary, "out")))
        target.mkdir(parents=True, exist_ok=True)
        if not arguments:
            source.mkdir()
            PIL.Image.open(EXAMPLE).crop((200, 60, 280, 140)).save(source / "face.png")
            (source / "notes.txt").write_text("not an image")
        failed = enlarge(source, target)
        print(f"{len(failed)} of {len(list(source.iterdir()))} files failed")


if __name__ == "__main__":
    main(sys.argv[1:])
