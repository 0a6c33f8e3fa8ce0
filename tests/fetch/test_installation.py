"""From a name to models: the licence, the download, the hash, the conversion."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from hyperacuity import fetch, zoo
from hyperacuity.errors import MissingDependency, Run, UnknownModel, Unreachable, UsageError, Use, WeightsError
from hyperacuity.fetch.addresses import address_of
from hyperacuity.fetch.transfer import Patience
from tests.fetch.conftest import Offer
from tests.fetch.server import Server

QUICK = Patience(timeout=30.0, attempts=2, pause=0.01)


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_fetched_model_is_found_by_its_name(mirror: Server, cache: Path) -> None:
    installed = fetch.install("tiny-X2")
    assert installed.is_new
    assert [path for path, _ in mirror.requests] == ["/weights/Tiny_x2.pth"]
    assert below(cache) == {"models/Tiny_x2.safetensors", "models/Tiny_x2.onnx"}
    for name in ("Tiny_x2", "tiny-x2", "Tiny"):
        assert [model.card.name for model in zoo.find_models(name)] == ["Tiny_x2"]
    card = zoo.find_models("Tiny_x2")[0].card
    assert (card.licence, card.source) == ("MIT", "https://weights.invalid/Tiny_x2.pth")
    assert "them/theirs" in card.trained_on
    assert "Tiny_x2" in zoo.installed()

    again = fetch.install("Tiny_x2")
    assert (again.is_new, again.files) == (False, installed.files)
    assert len(mirror.requests) == 1

    import hyperacuity

    assert "Tiny_x2" in hyperacuity.models()


@pytest.mark.usefixtures("without_onnx")
def test_an_interrupted_fetch_is_resumed(mirror: Server, cache: Path, offered: dict[str, Offer]) -> None:
    part = cache / "downloads" / "Short_x2.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(offered["Short_x2"].content[:700])
    fetch.install("Short_x2")
    assert mirror.asked("Range") == ["bytes=700-"]
    assert below(cache) == {"models/Short_x2.safetensors", "models/Short_x2.onnx"}


@pytest.mark.usefixtures("without_onnx")
def test_the_beginning_of_another_file_is_not_kept(mirror: Server, cache: Path) -> None:
    part = cache / "downloads" / "Tiny_x2.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 700)
    fetch.install("Tiny_x2")
    assert mirror.asked("Range") == ["bytes=700-", None]
    assert zoo.find_models("Tiny_x2")


@pytest.mark.usefixtures("mirror")
def test_a_file_of_another_hash_is_never_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hyperacuity import importer

    monkeypatch.setattr(importer, "convert", lambda *a, **k: pytest.fail("it was read"))
    with pytest.raises(WeightsError, match="its SHA-256 is"):
        fetch.install("Wrong_x2")
    assert below(cache) == set()


@pytest.mark.usefixtures("mirror")
def test_code_in_a_file_is_not_run_even_if_its_hash_is_right(cache: Path) -> None:
    with pytest.raises(WeightsError, match="run the code of"):
        fetch.install("Evil_x2")
    assert below(cache) == {"downloads/Evil_x2.pth"}


@pytest.mark.usefixtures("without_onnx")
def test_a_licence_that_is_not_free_must_be_agreed_to_first(mirror: Server) -> None:
    with pytest.raises(UsageError, match=r"CC-BY-NC-4\.0") as caught:
        fetch.install("Closed_x2")
    assert caught.value.cures == (Use(accept_licence=True),)
    assert not mirror.requests
    fetch.install("Closed_x2", accept_licence=True)
    assert zoo.find_models("Closed_x2")[0].card.licence == "CC-BY-NC-4.0"


@pytest.mark.usefixtures("without_onnx", "mirror")
def test_a_file_for_several_scales_becomes_several_models() -> None:
    installed = fetch.install("Several")
    assert [path.stem for path in installed.files] == ["Several-x2", "Several-x3"]
    assert [model.card.scale for model in zoo.find_models("several")] == [2, 3]


@pytest.mark.usefixtures("mirror")
def test_a_file_that_is_no_model_is_kept_as_it_is(cache: Path) -> None:
    (path,) = fetch.install("features").files
    assert path == cache / "files" / "features.pth"
    assert path.read_bytes() == b"no model at all"
    assert not fetch.install("features").is_new


def test_offline_downloads_nothing(mirror: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="has not been downloaded"):
        fetch.install("Tiny_x2", offline=True)
    monkeypatch.setenv("HYPERACUITY_OFFLINE", "1")
    with pytest.raises(UsageError, match="HYPERACUITY_OFFLINE"):
        fetch.install("Tiny_x2")
    assert not mirror.requests
    assert not cache.exists()


@pytest.mark.usefixtures("without_onnx")
def test_offline_uses_what_was_downloaded(cache: Path, offered: dict[str, Offer]) -> None:
    file = cache / "downloads" / "Tiny_x2.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(offered["Tiny_x2"].content)
    assert fetch.install("Tiny_x2", offline=True).is_new
    assert not file.exists()  # the model holds the same numbers


@pytest.mark.usefixtures("without_onnx")
def test_a_file_from_elsewhere_is_verified_and_stays(cache: Path, tmp_path: Path, offered: dict[str, Offer]) -> None:
    own = tmp_path / "stick.bin"
    own.write_bytes(offered["Tiny_x2"].content[:-1] + b"!")
    with pytest.raises(WeightsError, match=r"stick\.bin is not Tiny_x2\.pth as it was published"):
        fetch.install("Tiny_x2", from_file=own)
    own.write_bytes(b"short")
    with pytest.raises(WeightsError, match="has 5 bytes"):
        fetch.install("Tiny_x2", from_file=own)
    with pytest.raises(UsageError, match="there is no file"):
        fetch.install("Tiny_x2", from_file=tmp_path / "none")
    own.write_bytes(offered["Tiny_x2"].content)
    fetch.install("Tiny_x2", from_file=own, offline=True)
    assert own.exists()
    assert below(cache) == {"models/Tiny_x2.safetensors", "models/Tiny_x2.onnx"}


def test_missing_packages_are_named_before_the_download(mirror: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    with pytest.raises(MissingDependency, match=r"needs torch, once: pip install 'hyperacuity\[train\]'"):
        fetch.install("Tiny_x2")
    assert not mirror.requests
    assert fetch.install("features").is_new  # needs no conversion


@pytest.mark.usefixtures("offered")
def test_a_model_that_was_not_fetched_names_the_command() -> None:
    with pytest.raises(UnknownModel, match="Tiny_x2 is not installed, but its weights are published") as caught:
        zoo.find_models("Tiny_x2")
    assert caught.value.cures == (Run("fetch", "Tiny_x2"),)
    with pytest.raises(UnknownModel, match=r"CC-BY-NC-4\.0") as caught:
        zoo.find_models("closed")
    assert caught.value.cures == (Run("fetch", "Closed_x2"), Run("fetch", "Closed_x3"))
    with pytest.raises(UnknownModel, match="Did you mean 'Tiny_x2'"):
        zoo.find_models("Tinny_x2")
    with pytest.raises(UnknownModel, match="several scales"):
        fetch.install("Closed")
    with pytest.raises(UnknownModel, match="Did you mean 'Several'"):
        fetch.install("Severall")


def test_a_damaged_model_in_the_cache_is_as_if_it_were_not_there(offered: dict[str, Offer], cache: Path) -> None:
    assert offered
    (cache / "models").mkdir(parents=True)
    (cache / "models" / "Tiny_x2.safetensors").write_bytes(b"cut")
    assert zoo.fetched_models() == {}
    with pytest.raises(UnknownModel, match="not installed"):
        zoo.find_models("Tiny_x2")


@pytest.mark.usefixtures("offered")
def test_addresses_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = zoo.find_published("Tiny_x2")
    assert address_of(entry) == "https://weights.invalid/Tiny_x2.pth"
    for wrong in ("file:///etc", "example.org/weights", "https://"):
        monkeypatch.setenv("HYPERACUITY_MIRROR", wrong)
        with pytest.raises(UsageError, match="HYPERACUITY_MIRROR"):
            address_of(entry)
    monkeypatch.setenv("HYPERACUITY_MIRROR", "https://name:secret@example.org/weights")
    with pytest.raises(UsageError, match="a name and a password") as caught:
        address_of(entry)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("HYPERACUITY_MIRROR", "")
    with pytest.raises(Unreachable, match=r"weights\.invalid is not found"):
        fetch.install("Tiny_x2", patience=QUICK)
