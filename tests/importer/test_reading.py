"""Files that are checkpoints, however wrapped, and files that are not: nothing in them is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tests.importer.checkpoints import bare, saved
from tests.test_networks import built
from torch import nn

from hyperacuity import importer
from hyperacuity.errors import HyperacuityError, UsageError, WeightsError
from hyperacuity.networks import NETWORKS
from hyperacuity.zoo import Card

# Wrapped, prefixed, in other precisions.


@pytest.mark.parametrize("prefix", ["module.", "netG.", "_orig_mod.", "generator.", "module.netG.", "any.name."])
def test_prefixes_go(prefix: str, tmp_path: Path) -> None:
    weights = {prefix + name: value for name, value in built("espcn").state_dict().items()}
    assert importer.recognise_file(saved(weights, tmp_path / "w.pth")).architecture == "espcn"


def test_of_a_gan_the_generator_is_taken(tmp_path: Path) -> None:
    weights = {f"generator.{name}": value for name, value in built("espcn").state_dict().items()}
    weights["discriminator.0.weight"] = torch.zeros(3)
    assert importer.recognise_file(saved({"state_dict": weights}, tmp_path / "w.ckpt")).architecture == "espcn"


@pytest.mark.parametrize("wrapper", importer.reading.WRAPPERS)
def test_wrappers_open(wrapper: str, tmp_path: Path) -> None:
    whole = {"epoch": 3, "step": torch.tensor(3), "optimizer": {"state": {}}, wrapper: built("espcn").state_dict()}
    assert importer.recognise_file(saved(whole, tmp_path / "w.pth")).architecture == "espcn"


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    plain, averaged = (bare("espcn")[1] for _ in range(2))
    averaged["map.bias"] = averaged["map.bias"] + 1
    found = importer.recognise_file(saved({"params": plain, "params_ema": averaged}, tmp_path / "w.pth"))
    assert torch.equal(found.weights["map.bias"], averaged["map.bias"])


def test_of_our_own_checkpoints_the_averaged_weights_are_taken(tmp_path: Path) -> None:
    plain, averaged = (bare("espcn")[1] for _ in range(2))
    averaged["map.bias"] = averaged["map.bias"] + 1
    for name, state in (("step", {"network": plain, "average": averaged}), ("best", {"weights": averaged})):
        found = importer.recognise_file(saved({"recipe": "", "step": 3, **state}, tmp_path / f"{name}.pt"))
        assert torch.equal(found.weights["map.bias"], averaged["map.bias"])


@pytest.mark.parametrize("legacy", [True, False])
def test_half_precision_becomes_single(legacy: bool, tmp_path: Path) -> None:
    weights = {name: value.half() for name, value in built("espcn").state_dict().items()}
    torch.save(weights, tmp_path / "misnamed.safetensors", _use_new_zipfile_serialization=not legacy)
    found = importer.recognise_file(tmp_path / "misnamed.safetensors")
    assert all(value.dtype == torch.float32 for value in found.weights.values())


# What cannot be.


def script(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for part in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"net/{part}", b"")


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", b"<x/>")


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", b"\0" * 10**6)


def cut(path: Path) -> None:
    torch.save(built("espcn").state_dict(), path)
    path.write_bytes(path.read_bytes()[:-3000])


def cut_safetensors(path: Path) -> None:
    path.write_bytes(safetensors.torch.save(built("espcn").state_dict())[:-3000])


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.touch(), "is empty"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "nothing but zeros"),
    "web page": (lambda path: path.write_text("\n<!DOCTYPE html><html>Sign in</html>"), "a web page"),
    "LFS": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1"), "git lfs pull"),
    "text": (lambda path: path.write_text('{"error": "no such file"}'), "is text.*no such file"),
    "HDF5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50)), "HDF5"),
    "picture": (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(50)), "neither safetensors nor"),
    "TorchScript": (script, "TorchScript"),
    "another zip": (other_zip, "zip archive, but not a checkpoint"),
    "zip bomb": (bomb, "claims to hold more"),
    "cut": (cut, "cut short"),
    "cut safetensors": (cut_safetensors, "cut short"),
    "a number": (lambda path: torch.save(3, path), "holds a int"),
    "no tensors": (lambda path: torch.save({"epoch": 3}, path), "its keys are epoch"),
    "NaN": (lambda path: torch.save({"a.weight": torch.tensor([float("nan")])}, path), "infinite or not numbers"),
    "endless": (lambda path: torch.save({"a.weight": torch.zeros(1).expand(10**9)}, path), "more numbers than"),
    "sparse": (lambda path: torch.save({"a": torch.eye(3).to_sparse()}, path), "not a plain tensor|damaged"),
    "module": (lambda path: torch.save(nn.Linear(1, 1), path), "code of torch.nn.modules.linear.Linear"),
    "strange": (lambda path: torch.save({f"fc{n}.weight": torch.zeros(3) for n in range(10)}, path), "fc7.*and 2 more"),
    "SwinIR without its upsampling": (
        lambda path: torch.save(
            {
                name: value
                for name, value in built("swinir", upsampler="pixelshuffle").state_dict().items()
                if not name.startswith("upsample.")
            },
            path,
        ),
        "SwinIR that only restores",
    ),
    "compact with a hole": (
        lambda path: torch.save(built("compact").state_dict() | {"body.4000000000.weight": torch.zeros(3)}, path),
        "fits no network here; the nearest is compact",
    ),
    "ESRGAN x2": (
        lambda path: torch.save(
            {"model.1.sub.0.RDB1.conv1.0.weight": torch.zeros(1), "model.7.weight": torch.zeros(1)}, path
        ),
        "another scale than x4",
    ),
    "foreign in every word": (
        lambda path: torch.save({"foo.weight": torch.zeros(3, 3), "quux.bias": torch.zeros(9)}, path),
        "fits no network here. Its keys: foo.weight, quux.bias",
    ),
    "compact on grey": (
        lambda path: torch.save(built("compact").state_dict() | {"body.0.weight": torch.zeros(16, 1, 3, 3)}, path),
        r"body.0.weight is \(16, 1, 3, 3\), not \(16, 3, 3, 3\)",
    ),
    "SRCNN on two planes": (
        lambda path: torch.save(
            {f"conv{n}.weight": torch.zeros(2, 2, 9, 9) for n in (1, 2, 3)}
            | {f"conv{n}.bias": torch.zeros(2) for n in (1, 2, 3)},
            path,
        ),
        "channels must be 1 or 3|neither on 0 to 1",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_checkpoint_is_told_apart(case: str, tmp_path: Path) -> None:
    make, message = WRONG[case]
    make(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=message):
        importer.convert(tmp_path / "w.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        importer.recognise_file(tmp_path / "none.pth")
    with pytest.raises(UsageError, match="is a folder"):
        importer.recognise_file(tmp_path)


def test_weights_of_zero_are_refused(tmp_path: Path) -> None:
    weights = {name: torch.zeros_like(value) for name, value in built("espcn").state_dict().items()}
    with pytest.raises(WeightsError, match="does not follow its input"):
        importer.convert(saved(weights, tmp_path / "w.pth"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Trap:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "within a safetensors header"])
def test_nothing_in_a_file_is_run(form: str, tmp_path: Path) -> None:
    path, sprung = tmp_path / "trap.pth", tmp_path / "sprung"
    state = {"state_dict": {"a.weight": torch.zeros(3)}, "trap": Trap(sprung)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(Trap(sprung), protocol=2))
    elif form.startswith("within"):
        inner = pickle.dumps(Trap(sprung), protocol=2)
        path.write_bytes(struct.pack("<Q", len(inner) + 2) + b"{" + inner + b"}")
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    before = path.read_bytes()
    with pytest.raises(WeightsError):
        importer.recognise_file(path)
    assert not sprung.exists()
    assert path.read_bytes() == before


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Flipped bits, a cut, a piece twice, or another beginning; most of it where the structure is."""
    changed = bytearray(data)
    kind = chance.randrange(5)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        start = chance.randrange(min(len(data), 3000))
        return data[:start] + data[start // 2 :]
    if kind == 2:
        changed[: chance.choice((8, 9, 64, 200))] = chance.randbytes(chance.choice((8, 9, 64)))
        return bytes(changed)
    reach = len(data) if kind == 3 else min(len(data), 4000)
    for _ in range(chance.choice((1, 3, 30))):
        place = chance.randrange(reach)
        changed[place if chance.random() < 0.7 else -1 - place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Every error is one of ours, and no file takes forever."""
    _, weights = bare("imdn")
    card = Card("a", "imdn", 2, "RGB", "", "", "", config=NETWORKS["imdn"].small)
    seeds = [safetensors.torch.save(weights, card.to_metadata()), safetensors.torch.save(weights)]
    for legacy in (True, False):
        buffer = io.BytesIO()
        torch.save({"params": weights, "step": 3}, buffer, _use_new_zipfile_serialization=not legacy)
        seeds.append(buffer.getvalue())
    chance = random.Random(0)
    path = tmp_path / "w-x2.pth"
    for number in range(320):
        path.write_bytes(damaged(seeds[number % 4], chance))
        try:
            importer.recognise_file(path)
        except HyperacuityError:
            continue


def test_damaged_published_files_are_refused_or_read(shared: Path, tmp_path: Path) -> None:
    names = ["FSRCNN_yjn870_x2.pth", "ESPCN_nhat-thanh_x3.pt", "SRCNN_9-1-5_official_x2_range255.safetensors"]
    names += ["lpips_squeeze_linear.pth"]
    seeds = [(shared / "weights" / name).read_bytes() for name in names]
    chance = random.Random(1)
    path = tmp_path / "w-x2.pth"
    for number in range(200):
        path.write_bytes(damaged(seeds[number % len(seeds)], chance))
        try:
            importer.recognise_file(path)
        except HyperacuityError:
            continue


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": 3}, {"architecture": "none"}, {"config": "abc"}, {"config": {"blocks": 10**9}},
        {"config": {"blocks": -1}}, {"config": {"blocks": "2"}}, {"config": {"features": [1]}}, {"config": None},
        {"scale": 0}, {"multiple": 0}, {"halo": None}, {"channels": "CMYK"},
    ],
)  # fmt: skip
def test_a_damaged_card_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    content = {"name": "a", "architecture": "imdn", "scale": 2, "channels": "RGB", "licence": "", "trained_on": "",
               "paper": "", "config": NETWORKS["imdn"].small} | change  # fmt: skip
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.torch.save(built("imdn").state_dict(), {"hyperacuity": json.dumps(content)}))
    with pytest.raises(WeightsError):
        importer.recognise_file(path)
