"""ONNX files of others, which say nothing about themselves but the shapes of their input and output.

`open_file` gives such a file a card by probing it (`probing`), and keeps the card in the user's cache folder;
`ForeignNetwork` hands it batches in the form that it wants: other names, half precision or 8 bits, 0 to 255, channels
last, one fixed size. It runs in ONNX Runtime only.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperacuity import machine, storage, zoo
from hyperacuity.engines.padding import pad_to_multiple
from hyperacuity.engines.protocol import Batch, CardFields
from hyperacuity.errors import HyperacuityError, HyperacuityWarning, OutOfMemory, UsageError, WeightsError
from hyperacuity.zoo import Card, Model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# The architecture on the card of an ONNX file of others.
FOREIGN = "onnx"
# What ONNX Runtime calls the types of numbers that an image can have.
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "out of memory", "CUDNN_STATUS_ALLOC_FAILED")
# Cards of earlier versions are made again.
_VERSION = 1


def open_file(path: Path) -> Model:
    """Open a model file: one of ours, or an ONNX file of another project.

    Args:
        path: NAME.safetensors or NAME.onnx. If NAME.safetensors is missing, the ONNX file needs no card: it is probed,
            which takes seconds, once.

    Raises:
        UsageError: The file does not exist.
        WeightsError: It is no model, or one that does not turn an image into an enlarged one.
    """
    if path.suffix.lower() != ".onnx" or path.with_suffix(".safetensors").is_file() or not path.is_file():
        return zoo.open_model(path)
    if own := _own_card(path):
        return Model(own, None, path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    kept = machine.cache_folder() / "probed" / f"{digest}-{_VERSION}.json"
    try:
        return Model(Card.from_metadata(json.loads(kept.read_text())), None, path)
    except (OSError, ValueError, AttributeError, HyperacuityError):
        pass  # not probed yet, or cut short
    from hyperacuity.engines.probing import probe

    card = probe(path)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        storage.write_whole(kept, json.dumps(card.to_metadata()).encode())
    except OSError:
        pass  # it is probed again the next time
    return Model(card, None, path)


def _own_card(path: Path) -> Card | None:
    """The card in an ONNX file of ours, whose safetensors file is missing."""
    with path.open("rb") as file:
        if b"hyperacuity" not in file.read():  # the metadata stand at the end, and loading a network takes long
            return None
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        return Card.from_metadata(session.get_modelmeta().custom_metadata_map)
    except Exception:  # not one of ours, or damaged: what it is, probing says
        return None


class Adapter:
    """One run of a session on a batch of ours.

    Args:
        session: Of ONNX Runtime.
        form: What the network wants, as `probing` finds it: `layout` (NCHW or NHWC), `gain` and `shift` (what it takes
            for x is gain * x + shift), `output_gain` and `output_shift`, `swapped` (its output has the channels in the
            opposite order of its input).
    """

    def __init__(self, session: InferenceSession, form: dict[str, Any]) -> None:
        self._session, self._form = session, form
        given = session.get_inputs()[0]
        self._input, self._dtype = given.name, DTYPES[given.type]
        self._output = form.get("output") or session.get_outputs()[0].name

    def run(self, batch: Batch) -> Batch:
        """Returns the result for (N, C, H, W), in the same form."""
        form = self._form
        x = batch * np.float32(form.get("gain", 1.0)) + np.float32(form.get("shift", 0.0))
        if self._dtype is np.uint8:
            x = x.round().clip(0, 255)
        x = x.astype(self._dtype)
        if form.get("layout") == "NHWC":
            x = x.transpose(0, 2, 3, 1)
        results = [self._session.run([self._output], {self._input: np.ascontiguousarray(one[None])})[0] for one in x]
        y = np.concatenate(results).astype(np.float32)
        if form.get("layout") == "NHWC":
            y = y.transpose(0, 3, 1, 2)
        if form.get("swapped"):
            y = y[:, ::-1]
        y = (y - np.float32(form.get("output_shift", 0.0))) / np.float32(form.get("output_gain", 1.0))
        return np.ascontiguousarray(y)


class ForeignNetwork(CardFields):
    """An ONNX file of another project in ONNX Runtime, see `protocol.Engine`."""

    precision = "fp32"

    def __init__(self, model: Model, session: InferenceSession) -> None:
        super().__init__(model.card)
        config = dict(model.card.config)
        self._adapter = Adapter(session, config)
        self._fixed: tuple[int, int] | None = tuple(config["fixed"]) if config.get("fixed") else None
        self._least = int(config.get("least", 1))
        if self._fixed and self.halo > min(self._fixed) // 4:
            height, width = self._fixed
            warnings.warn(
                HyperacuityWarning(
                    f"{model.card.name} takes images of {width}x{height} only and sees farther than a quarter of that: "
                    "where its tiles meet may show"
                ),
                stacklevel=2,
            )

    def available(self) -> int:
        return machine.available_memory()

    def run(self, batch: Batch) -> Batch:
        try:
            return self._tiled(batch, self._fixed) if self._fixed else self._padded(batch)
        except MemoryError as error:
            raise OutOfMemory("ONNX Runtime ran out of memory") from error
        except HyperacuityError:
            raise
        except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
            if any(text in str(error) for text in _NO_MEMORY):
                raise OutOfMemory("ONNX Runtime ran out of memory") from error
            raise WeightsError(f"the network failed on an image of {batch.shape[2:]}: {error}") from error

    def in_float32(self) -> ForeignNetwork:
        return self

    def per_core(self) -> None:
        return None

    def _padded(self, batch: Batch) -> Batch:
        """The result for a batch that may be smaller than the network takes."""
        height, width = batch.shape[2:]
        if min(height, width) >= self._least:
            return self._adapter.run(batch)
        wide = mirror_to(batch, max(height, self._least), max(width, self._least))
        return self._adapter.run(pad_to_multiple(wide, self.multiple))[
            :, :, : height * self.scale, : width * self.scale
        ]

    def _tiled(self, batch: Batch, fixed: tuple[int, int]) -> Batch:
        """The result of a network for one size, from tiles of that size; each gives what its halo does not reach."""
        height, width = batch.shape[2:]
        wide = mirror_to(batch, max(height, fixed[0]), max(width, fixed[1]))
        s = self.scale
        result = np.empty((*batch.shape[:2], wide.shape[2] * s, wide.shape[3] * s), np.float32)
        for top, rows in _places(wide.shape[2], fixed[0], self.halo):
            for left, columns in _places(wide.shape[3], fixed[1], self.halo):
                tile = self._adapter.run(wide[:, :, top : top + fixed[0], left : left + fixed[1]])
                own = tile[:, :, (rows.start - top) * s : (rows.stop - top) * s]
                own = own[:, :, :, (columns.start - left) * s : (columns.stop - left) * s]
                result[:, :, rows.start * s : rows.stop * s, columns.start * s : columns.stop * s] = own
        return result[:, :, : height * s, : width * s]


def _places(length: int, side: int, halo: int) -> list[tuple[int, slice]]:
    """Where tiles of `side` begin along `length`, and what of it each one gives."""
    margin = min(halo, side // 4)  # a network that sees farther than its input is long cannot be cut exactly
    core = side - 2 * margin
    places, done = [], 0
    while done < length:
        top = min(max(0, done - margin), length - side)
        until = length if top + side >= length else min(length, top + margin + core)
        places.append((top, slice(done, until)))
        done = until
    return places


def mirror_to(batch: Batch, height: int, width: int) -> Batch:
    """Returns (N, C, H, W) with rows and columns appended by mirroring, as often as it takes."""
    while batch.shape[2] < height or batch.shape[3] < width:
        down, across = (min(have, want - have) for have, want in zip(batch.shape[2:], (height, width), strict=True))
        batch = np.pad(batch, ((0, 0), (0, 0), (0, down), (0, across)), mode="symmetric")
    return batch
