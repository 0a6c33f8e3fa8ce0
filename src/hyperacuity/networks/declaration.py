"""What a network's file declares besides its module: one record, from which importer and tests know the network.

Everything here is data and plain functions of a state dict. Nothing knows files, cards or the importer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

Weights = dict[str, Tensor]
ConfigFields = dict[str, Any]


@dataclass(frozen=True)
class Undetermined:
    """A config field that the weights do not determine: one of `values`, for the user to choose."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class KeyLayout:
    """How another project names the layers of a network.

    Attributes:
        origin: The project, as messages name it.
        convert: From its state dict to ours, and the config fields that follow from the origin; None if the keys are
            not in this layout. It may look at values only where its docstring says so. Whether the shapes fit is
            checked by the importer.
        words: Words of its keys, by which the importer names the nearest network when no layout fits.
    """

    origin: str
    convert: Callable[[Weights], tuple[Weights, ConfigFields] | None]
    words: str = ""


@dataclass(frozen=True)
class PublishedCount:
    """How many parameters the network has with `config`, as its authors count them.

    Attributes:
        config: Config fields; the defaults where a field is missing.
        count: The published number.
        biases: Whether biases and the activations' slopes are counted too, or kernels only.
    """

    config: Mapping[str, Any]
    count: int
    biases: bool


@dataclass(frozen=True)
class Declaration:
    """A network of the table.

    Attributes:
        network: The class; its `Config` is the frozen dataclass that it is built from.
        config_from_weights: The config by keys and shapes alone. It may raise anything for weights of another network:
            a config counts only if the network built from it has exactly these keys and shapes.
        paper: As a card states it.
        scales: Those that `scale` of the config can take; (1,) for a network whose input bicubic has enlarged.
        enlarged: For a network whose input bicubic has enlarged, the scales that one set of weights serves; empty if
            each scale needs separate weights.
        layouts: State dicts of other projects that fit.
        published_counts: Parameter counts by the authors, which the tests compare with ours.
        small: Config fields of a small network with every kind of layer, for tests.
    """

    network: type[nn.Module]
    config_from_weights: Callable[[Weights], ConfigFields]
    paper: str = ""
    scales: tuple[int, ...] = (2, 3, 4)
    enlarged: tuple[int, ...] = ()
    layouts: tuple[KeyLayout, ...] = ()
    published_counts: tuple[PublishedCount, ...] = ()
    small: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_enlarged(self) -> bool:
        """Whether bicubic enlarges the network's input before it; other networks of scale 1 restore only."""
        return self.scales == (1,)
