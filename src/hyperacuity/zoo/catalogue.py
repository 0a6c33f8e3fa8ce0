"""The catalogue of published weights of other projects, in catalogue.csv: what `fetch` can download.

Addresses, hashes, sizes and licences are facts that were collected by hand; the weights are not part of the package.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hyperacuity.errors import Run, UnknownModel, nearest

FILE = Path(__file__).parent / "catalogue.csv"
# SPDX identifiers of licences under which everyone may use the weights for any purpose.
_FREE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "MIT", "Unlicense"}


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights that its authors offer for download.

    Attributes:
        name: Of the model that it becomes.
        network: Its architecture, a name in `networks.NETWORKS` if it is a model.
        scales: Those that the file serves; each becomes a model. Empty for files that are no models: the networks of
            losses and metrics.
        file: The name that its authors gave it.
        address: Where they offer it.
        sha256: The hash of the file in hexadecimal digits, or the first eight of them.
        size: In bytes; None if it is not known.
        about: If the size is not known, the megabytes of as many numbers as the network has; the file may hold more.
        licence: An SPDX identifier, or a sentence.
        source: The project, as owner/name on GitHub.
        note: What it is for, in a few words.
    """

    name: str
    network: str
    scales: tuple[int, ...]
    file: str
    address: str
    sha256: str
    size: int | None
    about: float | None
    licence: str
    source: str
    note: str = ""

    @property
    def family(self) -> str:
        """The name without its scale: "EDSR" of "EDSR_x2"."""
        return self.name.removesuffix(f"_x{self.scales[0]}") if len(self.scales) == 1 else self.name

    @property
    def megabytes(self) -> str:
        """The size in words, such as "67.0" or "about 163"."""
        if self.size is not None:
            return f"{self.size / 1e6:.1f}"
        return "unknown" if self.about is None else f"about {self.about:g}"

    @property
    def is_free(self) -> bool:
        """Whether everyone may use the weights for any purpose; otherwise the user must agree to the licence."""
        return self.licence in _FREE

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names of the models that the file becomes."""
        if len(self.scales) == 1:
            return (self.name,)
        return tuple(f"{self.name}-x{scale}" for scale in self.scales)


@functools.cache
def read_catalogue() -> Mapping[str, PublishedWeights]:
    """Returns all entries of the catalogue by name.

    Example:
        >>> read_catalogue()["RealESRGAN_x4plus"].licence
        'BSD-3-Clause'
    """
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row["name"]: _entry(row) for row in csv.DictReader(file)}


def _entry(row: Mapping[str, str]) -> PublishedWeights:
    scales = tuple(int(scale) for scale in row["scales"].split())
    size = int(row["bytes"]) if row["bytes"] else None
    about = float(row["about_megabytes"]) if row["about_megabytes"] else None
    texts = {name: row[name] for name in ("name", "network", "file", "address", "sha256", "licence", "source", "note")}
    return PublishedWeights(**texts, scales=scales, size=size, about=about)


def published_as(name: str) -> list[PublishedWeights]:
    """Returns the entry of a name, or all of its family; none if neither is in the catalogue."""
    plain = plain_name(name)
    same = [entry for entry in read_catalogue().values() if plain_name(entry.name) == plain]
    return same or [entry for entry in read_catalogue().values() if plain_name(entry.family) == plain]


def find_published(name: str) -> PublishedWeights:
    """Find one entry of the catalogue.

    Args:
        name: Case does not matter, and "_" is the same as "-".

    Raises:
        UnknownModel: It is not in the catalogue, or is a family; the cures are its members.
    """
    found = published_as(name)
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownModel(
            f"{found[0].family} is published for several scales", *(Run("fetch", entry.name) for entry in found)
        )
    names = list(read_catalogue())
    raise UnknownModel(
        f"no weights {name!r} in the catalogue; there are {', '.join(names)}{nearest(plain_name(name), names)}"
    )


def plain_name(name: str) -> str:
    """Returns the spelling in which names are compared."""
    return name.lower().replace("_", "-")
