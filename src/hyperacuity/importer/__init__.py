"""Checkpoints of other projects, converted once: any file of weights -> NAME.safetensors and NAME.onnx.

`reading` opens files without running any code in them, `recognition` finds the network that the weights fit,
`unsupported` knows checkpoints that fit none, `conversion` writes the model. How a network's weights are recognised,
and how other projects name its layers, is declared in the network's own file. Needs PyTorch and onnx.
"""

from __future__ import annotations

from hyperacuity.importer.conversion import convert, recognise_file, scale_in
from hyperacuity.importer.recognition import Found

__all__ = ["Found", "convert", "recognise_file", "scale_in"]
