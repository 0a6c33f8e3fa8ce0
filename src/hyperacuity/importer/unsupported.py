"""Well-known checkpoints that no network of ours can use, recognised for the sake of a clear message."""

from __future__ import annotations

# Regular expressions of keys, all of which must be present, and what the file is.
UNSUPPORTED: tuple[tuple[tuple[str, ...], str], ...] = (
    ((r"layers\.0\.conv\.2\.weight",), "SwinIR with three convolutions after each group, the large one"),
    ((r"patch_embed\.norm\.weight", r"conv_up1\.weight"), "SwinIR with nearest-neighbour steps, the one for photos"),
    ((r"model\.1\.sub\.0\.RDB1\.conv1x1\.weight",), "ESRGAN+, whose blocks have one convolution more"),
    ((r"model\.1\.sub\.0\.RDB1\.conv1\.0\.weight",), "ESRGAN by its first code for another scale than x4"),
    ((r"upconv1\.weight", r"body\.0\.conv1\.weight"), "MSRResNet of BasicSR, which is not one of our networks"),
    ((r"features\.0\.weight", r"classifier\..+"), "a classifier, which enlarges nothing"),
    ((r"lin0\.model\.1\.weight",), "the weights of LPIPS, a distance between images, which enlarges nothing"),
)
