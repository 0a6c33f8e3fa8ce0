"""Checkpoints of networks that are missing here are recognised and named, however they are wrapped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from tests.importer.checkpoints import saved

from hyperacuity import importer
from hyperacuity.errors import WeightsError
from hyperacuity.importer.unsupported import UNSUPPORTED

GROUP = "layers.0.residual_group"
# Some keys of published weights, by the network.
KEYS = {
    "RGT": ["before_RG.1.weight", "layers.0.blocks.0.gamma", "layers.0.blocks.0.attn.qkv.weight"],
    "HAT": [
        "conv_first.weight",
        "conv_last.weight",
        f"{GROUP}.overlap_attn.qkv.weight",
        f"{GROUP}.blocks.0.attn.qkv.weight",
    ],
    "ATD": ["conv_first.weight", f"{GROUP}.td", f"{GROUP}.layers.0.attn_atd.scale"],
    "DRCT": ["conv_first.weight", "layers.0.swin1.norm1.weight", "layers.0.adjust1.weight"],
    "GRL": ["norm_start.weight", "layers.0.blocks.0.attn.window_attn.attn_transform.logit_scale"],
    "CRAFT": ["conv_first.weight", f"{GROUP}.hf_blocks.0.attn.temperature"],
    "OmniSR": ["residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "input.weight", "up.0.weight"],
    "DITN": ["sft.weight", "UFONE.0.ITLs.0.attn.temperature", "upsample.0.weight"],
    "DCTLSA": ["fea_conv.weight", "B1.body.0.transformer_body.0.blocks.0.attn.qkv.weight", "LR_conv.weight"],
    "SRFormer": [
        f"{GROUP}.blocks.0.attn.aligned_relative_position_index",
        "patch_embed.norm.weight",
        "conv_first.weight",
    ],
    "MoSR": ["gblocks.0.weight", "gblocks.1.fc1.weight", "gblocks.1.conv.weight"],
    "SPANPlus": ["feats.0.eval_conv.weight", "feats.1.block_1.c1_r.sk.weight", "feats.1.block_1.c1_r.conv.0.weight"],
    "Real-CUGAN": ["unet1.conv1.conv.0.weight", "unet2.conv_bottom.weight", "unet1.conv2.seblock.conv1.weight"],
    "SAFMN": ["to_feat.weight", "feats.0.safm.mfr.0.weight", "to_img.0.weight"],
    "ESC": ["proj.weight", "blocks.0.pconvs.0.plk.dwc_proj.1.weight", "blocks.0.attn.to_qkv.weight"],
    "NAFNet": ["intro.weight", "ending.weight", "encoders.0.0.beta"],
    "SwinIR that only restores": [
        *("patch_embed.norm.weight", "conv_first.weight", "conv_last.weight"),
        "layers.0.residual_group.blocks.0.attn.qkv.weight",
    ],
}


@pytest.mark.parametrize("prefix", ["", "module.", "net_g."])
@pytest.mark.parametrize("name", KEYS)
def test_they_are_told_by_name(name: str, prefix: str, tmp_path: Path) -> None:
    weights = {prefix + key: torch.zeros(3, 3) for key in KEYS[name]}
    if prefix:
        weights["net_d.0.weight" if prefix == "net_g." else "n_averaged"] = torch.zeros(1)
    with pytest.raises(WeightsError, match=f"looks like .*{re.escape(name)}") as caught:
        importer.recognise_file(saved({"params_ema": weights}, tmp_path / "w.pth"))
    assert "the nearest is" not in str(caught.value)


def test_every_expression_can_match() -> None:
    for keys, what in UNSUPPORTED:
        assert what
        for key in keys:
            re.compile(key)
