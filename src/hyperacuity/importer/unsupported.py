"""Well-known checkpoints that no network of ours can use, recognised for the sake of a clear message.

The names of their keys are facts, taken from the published weights and from the lists of other readers of checkpoints.
"""

from __future__ import annotations

_GROUP = r"layers\.0\.residual_group"
_BLOCK = r"layers\.0\.blocks\.0"

# Regular expressions of keys, all of which must be present, and what the file is. The first that fits counts.
UNSUPPORTED: tuple[tuple[tuple[str, ...], str], ...] = (
    # Variants of networks that are here.
    ((rf"{_GROUP}\.blocks\.0\.attn\.logit_scale",), "Swin2SR"),
    ((rf"{_GROUP}\.blocks\.0\.attn\.aligned_relative_position_index",), "SRFormer"),
    ((rf"{_GROUP}\.blocks\.0\.attn\.kv\.weight", r"layers\.0\.conv\.weight"), "SRFormer"),
    ((rf"{_GROUP}\.overlap_attn\.qkv\.weight",), "HAT"),
    ((r"feats\.\d+\.block_1\.c1_r\..+",), "SPANPlus, whose blocks are grouped otherwise than SPAN's"),
    ((r"block_1\.c1_r\.weight", r"block_1\.esa\.conv1\.weight"), "RLFN"),
    (
        (
            r"patch_embed\.norm\.weight",
            r"conv_first\.weight",
            r"conv_last\.weight",
            rf"{_GROUP}\.blocks\.0\.attn\.qkv\.weight",
        ),
        "SwinIR that only restores, or of another form than those here",
    ),
    ((r"model\.1\.sub\.0\.RDB1\.conv1x1\.weight",), "ESRGAN+, whose blocks have one convolution more"),
    ((r"model\.1\.sub\.0\.RDB1\.conv1\.0\.weight",), "ESRGAN by its first code for another scale than x4"),
    ((r"B1\.c1_d\.weight", r"B1\.esa\.conv1\.weight"), "RFDN"),
    # Transformers.
    ((r"before_RG\.1\.weight", rf"{_BLOCK}\.gamma"), "RGT"),
    ((rf"{_GROUP}\.layers\.0\.attn_atd\.scale",), "ATD"),
    ((r"layers\.0\.swin1\.norm1\.weight", r"layers\.0\.adjust1\.weight"), "DRCT"),
    ((rf"{_BLOCK}\.attn\.window_attn\.attn_transform\.logit_scale",), "GRL"),
    ((rf"{_GROUP}\.hf_blocks\.0\.attn\.temperature",), "CRAFT"),
    ((r"residual_layer\.0\.residual_layer\.0\.layer\.0\.fn\.0\.weight",), "OmniSR"),
    ((r"sft\.weight", r"UFONE\.0\.ITLs\.0\.attn\.temperature"), "DITN"),
    ((r"fea_conv\.weight", r"B1\.body\.0\.transformer_body\.0\.blocks\.0\.attn\.qkv\.weight"), "DCTLSA"),
    ((r"m_body\.0\.trans_block\.ln1\.weight",), "SCUNet, which removes noise"),
    ((r"encoder_level1\.0\.attn\.temperature",), "Restormer, which removes noise and blur"),
    # Convolutions.
    (
        (r"feats\.1\.lk\.conv\.weight", r"feats\.1\.channel_mixer\.0\.weight"),
        "RealPLKSR of another form than the one here, such as with DySample",
    ),
    (
        (r"feats\.1\.lk\.mn_conv\.weight", r"feats\.1\.channel?_mixer\.0\.weight"),
        "PLKSR with sparse or several kernels",
    ),
    (
        (r"feats\.1\.lk\..*conv.*\.weight", r"feats\.1\.channe_mixer\.0\.weight"),
        "PLKSR of another form than the one here",
    ),
    ((r"gblocks\.0\.weight", r"gblocks\.1\.fc1\.weight"), "MoSR"),
    ((r"unet1\.conv1\.conv\.0\.weight", r"unet2\.conv_bottom\.weight"), "Real-CUGAN"),
    (
        (r"body\.0\.body\.0\.body\.3\.conv_du\.0\.weight",),
        "RCAN of another form than the one here, such as with pixel-unshuffle",
    ),
    ((r"to_feat\.weight", r"feats\.0\.safm\.mfr\.0\.weight"), "SAFMN"),
    ((r"body\.0\..*LKA\.X3\.weight",), "MAN"),
    ((r"blocks\.0\.pconvs\.0\.plk\..+", r"blocks\.0\.attn\.to_qkv\.weight"), "ESC"),
    ((r"SFENet1\.weight", r"RDBs\.0\..+"), "RDN"),
    ((r"intro\.weight", r"ending\.weight", r"encoders\.0\.0\.beta"), "NAFNet, which removes noise and blur"),
    # No networks that enlarge.
    ((r"features\.0\.weight", r"classifier\..+"), "a classifier, which enlarges nothing"),
    ((r"lin0\.model\.1\.weight",), "the weights of LPIPS, a distance between images, which enlarges nothing"),
)
