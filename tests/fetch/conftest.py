"""A catalogue of small weights, and a cache folder of its own."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hyperacuity.zoo import catalogue
from tests.fetch.server import Handler, Server, serving

COLUMNS = (
    "name",
    "network",
    "scales",
    "file",
    "address",
    "sha256",
    "bytes",
    "about_megabytes",
    "licence",
    "source",
    "note",
)


@dataclass(frozen=True)
class Offer:
    """One line of the catalogue, and the file that it is about."""

    name: str
    content: bytes
    network: str = "fsrcnn"
    scales: str = "2"
    licence: str = "MIT"
    sha256: str = ""

    @property
    def file(self) -> str:
        return f"{self.name}.pth"

    def row(self) -> tuple[str, ...]:
        digest = self.sha256 or hashlib.sha256(self.content).hexdigest()
        address = f"https://weights.invalid/{self.file}"
        size = str(len(self.content))
        return (
            self.name,
            self.network,
            self.scales,
            self.file,
            address,
            digest,
            size,
            "",
            self.licence,
            "them/theirs",
            "",
        )


def saved(network: str, **config: object) -> bytes:
    import torch

    from tests.test_networks import built

    file = io.BytesIO()
    torch.save({"params": built(network, **config).state_dict()}, file)
    return file.getvalue()


@pytest.fixture(scope="session")
def offers() -> dict[str, Offer]:
    """Small networks, as others would publish them."""
    small = Offer("Tiny_x2", saved("fsrcnn", scale=2))
    every = (
        small,
        replace(small, name="Short_x2", sha256=hashlib.sha256(small.content).hexdigest()[:8]),
        replace(small, name="Wrong_x2", sha256="0" * 64),
        replace(small, name="Closed_x2", licence="CC-BY-NC-4.0"),
        Offer("Closed_x3", saved("fsrcnn", scale=3), scales="3", licence="CC-BY-NC-4.0"),
        Offer("Several", saved("mdsr", scales=(2, 3)), network="mdsr", scales="2 3"),
        Offer("features", b"no model at all", network="vgg19", scales=""),
        Offer("Evil_x2", b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00exit\x85R.", sha256=""),
    )
    return {offer.name: offer for offer in every}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HYPERACUITY_CACHE", str(folder))
    for name in ("HYPERACUITY_MIRROR", "HYPERACUITY_OFFLINE", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def offered(
    offers: dict[str, Offer], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Offer]]:
    """The catalogue holds these offers alone."""
    path = tmp_path / "catalogue.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *(offer.row() for offer in offers.values())])
    monkeypatch.setattr(catalogue, "FILE", path)
    catalogue.read_catalogue.cache_clear()
    yield offers
    catalogue.read_catalogue.cache_clear()


@pytest.fixture
def mirror(offered: dict[str, Offer], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror of the catalogue's files."""

    def respond(handler: Handler) -> None:
        handler.part(offered[handler.path.rpartition("/")[2].removesuffix(".pth")].content)

    with serving(respond) as server:
        monkeypatch.setenv("HYPERACUITY_MIRROR", f"{server.address}/weights/")
        yield server


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter takes seconds, and has its own tests."""
    from hyperacuity import export

    monkeypatch.setattr(export, "to_onnx", lambda network, card: b"onnx")
