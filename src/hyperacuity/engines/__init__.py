"""Backends that run a network, one file each. An engine knows a card and weights; tiles and colours it does not.

`protocol` holds the contract, `opening` chooses an engine for a model, `tuning` remembers the fastest one on this
machine, `timing` measures them. `foreign` runs ONNX files of other projects, which `probing` has measured. To add an
engine: write its module, which ends with what it declares (a `Backend`), and add its line to `table.py`; `auto` and
`tune` then consider it.
"""

from __future__ import annotations

from hyperacuity.engines.foreign import open_file
from hyperacuity.engines.opening import open
from hyperacuity.engines.padding import pad_to_multiple
from hyperacuity.engines.protocol import Backend, Batch, Engine, Precision
from hyperacuity.engines.table import ENGINES

__all__ = ["ENGINES", "Backend", "Batch", "Engine", "Precision", "open", "open_file", "pad_to_multiple"]
