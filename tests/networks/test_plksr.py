"""PLKSR and RealPLKSR: the exported network gives what PyTorch gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.test_networks import built

from hyperacuity import engines, export, zoo
from hyperacuity.networks import complete_config
from hyperacuity.zoo import Card


@pytest.mark.parametrize(
    "config",
    [{"norm": True, "activation": "mish"}, {"attention": False, "mixer": (1, 3)}, {"scale": 3, "kernel": 7}],
    ids=str,
)
def test_every_form_is_exported(config: dict[str, Any], tmp_path: Path) -> None:
    network = built("plksr", **config).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_normal_(parameter)
    scale = config.get("scale", 2)
    complete = complete_config("plksr", {"features": 16, "blocks": 2, "large": 4, "kernel": 5, "scale": 2, **config})
    card = Card("p", "plksr", scale, "RGB", "none", "none", "none", complete, **export.measure_network(network))
    export.write_model(network, card, tmp_path)
    x = np.random.default_rng(0).random((1, 3, 21, 34), np.float32)
    ours = engines.open(zoo.open_model(tmp_path / "p.onnx"), engine="onnxruntime", device="cpu").run(x)
    with torch.inference_mode():
        theirs = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1.0, float(np.abs(theirs).max())))
    assert card.whole is bool(config.get("norm"))
