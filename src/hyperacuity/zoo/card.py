"""A model's card: everything that is known about it without running it, stored in the metadata of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from hyperacuity.errors import Run, UsageError, WeightsError

# The architecture of models without a network.
CLASSICAL = "classical"

# No network enlarges by more at once, or needs sides that are divisible by more.
_LARGEST_FACTOR = 1024


@dataclass(frozen=True)
class Card:
    """Everything that is known about a model without running it.

    Attributes:
        name: FAMILY-xSCALE, such as "fsrcnn-x2".
        architecture: A name in `networks.NETWORKS`, or `CLASSICAL`.
        scale: Output pixels per input pixel along a side; None for the classical models, which take any.
        channels: "Y" (luma of BT.601 in studio range, on [0, 1]) or "RGB".
        licence: Of the weights.
        trained_on: The training data, in words.
        paper: Of the architecture.
        source: Where published weights were downloaded, an address; empty for the models of the package.
        config: The fields of the network's `Config`.
        enlarged: For networks that sharpen an image which bicubic has enlarged (SRCNN, VDSR; their own scale is 1): the
            scales by which it may have been enlarged.
        halo: See `engines.Engine`.
        multiple: See `engines.Engine`.
        activation_bytes: Memory for each input pixel in float32.
        whole: The network computes statistics of the whole image, so that no halo makes its tiles exact.
        parameters: The number of all learnt values.
        multiply_adds: For each input pixel.
        steps: Of the training.
        seed: Of the training.
        recipe: A hash of the recipe.
        data_fingerprint: A hash of the training data.
        natural: The name of a model of the same network that was trained without an adversary; "" if there is none. The
            weights may be set to any strength between the two.
        strength: The default strength of a model with a natural partner: 0 for the partner's weights, 1 for its own.
        quality: PSNR in dB by test set, on luma, as papers measure it: a border of `scale` pixels cut.
        ssim: SSIM by test set, like `quality`.
    """

    name: str
    architecture: str
    scale: int | None
    channels: Literal["Y", "RGB"]
    licence: str
    trained_on: str
    paper: str
    config: Mapping[str, Any] = field(default_factory=dict)
    enlarged: tuple[int, ...] = ()
    halo: int = 0
    multiple: int = 1
    activation_bytes: int = 0
    whole: bool = False
    parameters: int = 0
    multiply_adds: int = 0
    steps: int = 0
    seed: int = 0
    recipe: str = ""
    source: str = ""
    data_fingerprint: str = ""
    natural: str = ""
    strength: float = 1.0
    quality: Mapping[str, float] = field(default_factory=dict)
    ssim: Mapping[str, float] = field(default_factory=dict)

    def work(self, height: int = 720, width: int = 1280) -> int:
        """Returns the multiply-adds for an output of that size, as papers state it; 0 for resamplers."""
        return self.multiply_adds * height * width // (self.scale or 1) ** 2

    @property
    def family(self) -> str:
        """The name without its scale: "fsrcnn" of "fsrcnn-x2"."""
        return re.sub(rf"[-_]x{self.scale}$", "", self.name)

    @property
    def channel_count(self) -> int:
        return 1 if self.channels == "Y" else 3

    @property
    def network_scale(self) -> int:
        """The scale of a model that is a network.

        Raises:
            UsageError: It is a resampler.
        """
        if self.scale is None:
            raise UsageError(f"{self.name} is a resampler; it has no network to run")
        return self.scale

    def to_metadata(self) -> dict[str, str]:
        """Returns the metadata for a safetensors or ONNX file; these hold strings only, so the card is JSON."""
        return {"hyperacuity": json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str] | None, path: Path | None = None) -> Card:
        """Returns the card in the metadata of a file; `path` is for the message.

        Raises:
            WeightsError: There is no card, or it is damaged.
        """
        try:
            content = json.loads((metadata or {})["hyperacuity"])
            known = {name: content[name] for name in (entry.name for entry in fields(cls)) if name in content}
            card = cls(**known | {"enlarged": tuple(known.get("enlarged", ()))})
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                "the file has no card of Hyperacuity in its metadata", Run("import", path or "FILE")
            ) from error
        if not card._is_sound():
            raise WeightsError("the card in its metadata is damaged; download the file again")
        return card

    def _is_sound(self) -> bool:
        """Whether every field has its type and range; otherwise it would fail, or mislead, only where it is used."""
        facts = (self.licence, self.trained_on, self.paper, self.recipe, self.source)
        texts = (self.name, self.architecture, self.natural, *facts)
        counts = (self.halo, self.activation_bytes, self.parameters, self.multiply_adds, self.steps, self.seed)
        factors = (1 if self.scale is None else self.scale, self.multiple, *self.enlarged)
        tables = (self.config, self.quality, self.ssim)
        return (
            all(isinstance(text, str) for text in texts)
            and all(isinstance(count, int) and count >= 0 for count in counts)
            and all(isinstance(factor, int) and 1 <= factor <= _LARGEST_FACTOR for factor in factors)
            and all(isinstance(table, Mapping) for table in tables)
            and all(isinstance(figure, int | float) for table in tables[1:] for figure in table.values())
            and self.channels in ("Y", "RGB")
            and isinstance(self.strength, int | float)
            and 0 <= self.strength <= 1
            and self.natural != self.name
        )
