"""Weights that others have trained for IMDN, RRDB and Compact, in our networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.networks.test_published_weights import run, set5, theirs

from hyperacuity import colour, datasets
from hyperacuity.metrics import psnr
from hyperacuity.networks import build
from hyperacuity.resize import resize

# The names that ESRGAN's first code gave, and those that took their place.
RENAMED = {
    "RRDB_trunk.": "body.",
    ".RDB": ".rdb",
    "trunk_conv.": "conv_body.",
    "upconv": "conv_up",
    "HRconv.": "conv_hr.",
}


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "figure"), [(2, 38.00), (3, 34.36), (4, 32.21)])
def test_imdn(shared: Path, scale: int, figure: float) -> None:
    """Table 5 of the paper."""
    network = build("imdn", {"scale": scale})
    foreign = theirs(shared / f"weights/IMDN_x{scale}.pth")
    network.load_state_dict({name.removeprefix("module."): value for name, value in foreign.items()})
    assert set5(network, shared, scale) == pytest.approx(figure, abs=0.02)


@pytest.mark.slow
def test_rrdb(shared: Path) -> None:
    """Table 2 of the paper: "Ours", trained for PSNR on DF2K. The weights are rounded to half precision."""
    foreign = theirs(shared / "weights/RRDB_PSNR_x4_fp16.safetensors")
    renamed = {}
    for name, value in foreign.items():
        for old, new in RENAMED.items():
            name = name.replace(old, new)  # noqa: PLW2901
        renamed[name] = value.float()
    network = build("rrdb", {})
    network.load_state_dict(renamed)
    assert set5(network, shared, 4) == pytest.approx(32.73, abs=0.03)


@pytest.mark.parametrize(("name", "convs"), [("realesr-animevideov3", 16), ("realesr-general-x4v3", 32)])
def test_compact(shared: Path, name: str, convs: int) -> None:
    """No figures are published. Trained for damaged pictures, it sharpens clean ones: near, below bicubic in PSNR."""
    network = build("compact", {"convs": convs}).eval()
    network.load_state_dict(theirs(shared / f"weights/{name}.safetensors"))
    hr = datasets.read_image(shared / "data/benchmarks/Set5/bird.png")
    lr = resize(hr, scale=1 / 4)
    pictures = {"truth": hr, "bicubic": resize(lr, scale=4), "ours": run(network, lr)}
    y = {name: colour.luma(picture.astype(np.float64) / 255) * 255 for name, picture in pictures.items()}
    figure, bicubic = (psnr(y[name], y["truth"], border=4, peak=255) for name in ("ours", "bicubic"))
    assert bicubic - 3 < figure < bicubic
    assert np.abs(resize(pictures["ours"], scale=1 / 4).astype(int) - lr).mean() < 8
