"""Train a very small network on ten images for a few steps; needs `pip install 'hyperacuity[train]'`.

    python examples/train_on_ten_images.py [FOLDER]

Ten images and a few steps show how it is done, and give no good model: docs/training-queue.md has the real trainings.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import PIL.Image

import hyperacuity

EXAMPLE = Path(__file__).with_name("astronaut.png")
RECIPE = """
steps = 20
validate_every = 10

[model]
name = "tiny-x2"
architecture = "acute"
config = { scale = 2, features = 8, layers = 2 }
paper = "none; see networks/acute.py"
licence = "Apache-2.0"
trained_on = "ten parts of examples/astronaut.png"

[data]
train = ["images"]
patch = 16
batch = 4

[losses]
l1 = 1.0
"""


def main(folder: Path) -> None:
    """Cut ten images out of the example, train on them, and use the model."""
    images = folder / "images"
    images.mkdir()
    photo = PIL.Image.open(EXAMPLE).convert("RGB")
    for number in range(10):
        left, top = 48 * (number % 5), 64 * (number // 5)
        photo.crop((left + 100, top + 60, left + 180, top + 140)).save(images / f"{number}.png")
    recipe, output = folder / "tiny-x2.toml", folder / "run"
    recipe.write_text(RECIPE, encoding="utf-8")
    command = [sys.executable, "-m", "hyperacuity", "train", str(recipe), "--data", str(images)]
    subprocess.run([*command, "-o", str(output), "--device", "cpu"], check=True)

    model = output / "tiny-x2.safetensors"
    result = hyperacuity.upscale(images / "0.png", model=model, output=folder / "result.png")
    print(f"{model.name} made {result.name}: {PIL.Image.open(result).size}")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
