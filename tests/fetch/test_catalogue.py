"""The catalogue that the package has: complete, and about networks that are here."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from hyperacuity import zoo
from hyperacuity.errors import Run, UnknownModel
from hyperacuity.networks import NETWORKS


@pytest.mark.parametrize("name", zoo.read_catalogue())
def test_every_entry_is_complete(name: str) -> None:
    entry = zoo.read_catalogue()[name]
    assert entry.network in NETWORKS or not entry.scales
    assert urlsplit(entry.address).scheme == "https"
    assert entry.address.endswith(f"/{entry.file}")
    assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", entry.sha256)
    assert len(entry.sha256) == 64 or entry.sha256 in entry.file  # as their authors name their files
    assert entry.licence
    assert re.fullmatch(r"[\w-]+/[\w-]+", entry.source)
    assert entry.size is None or entry.size > 1_000_000
    assert entry.megabytes != "unknown"
    assert all(model not in zoo.models() for model in entry.model_names)


def test_names_are_found_in_any_spelling() -> None:
    assert zoo.find_published("realesrgan-X4plus").name == "RealESRGAN_x4plus"
    assert zoo.find_published("MDSR").model_names == ("MDSR-x2", "MDSR-x3", "MDSR-x4")
    assert not zoo.find_published("EDSR_x2").is_free
    with pytest.raises(UnknownModel) as caught:
        zoo.find_published("EDSR")
    assert caught.value.cures == (Run("fetch", "EDSR_x2"), Run("fetch", "EDSR_x3"), Run("fetch", "EDSR_x4"))
