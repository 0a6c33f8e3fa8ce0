"""`hyperacuity import`: its output and its files."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import torch

from hyperacuity.networks import build
from tests.cli.process import run
from tests.cli.test_command import names


def test_a_checkpoint_becomes_a_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save({"params": build("espcn", {}).state_dict()}, tmp_path / "net.pth")
    result = run("import", "net.pth", "-o", "models", "--licence", "CC0", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "espcn, x2, Y, 21,284 parameters" in result.stdout.splitlines()[1]
    assert names(tmp_path / "models") == {"net-x2.safetensors", "net-x2.onnx"}

    result = run("import", "net.pth", "-o", "models", folder=tmp_path)
    assert result.returncode == 1
    assert "exists" in result.stderr

    PIL.Image.new("RGB", (12, 10), "teal").save(tmp_path / "a.png")
    result = run("upscale", "-m", "models/net-x2.safetensors", "a.png", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(tmp_path / "a-x2.png") as larger:
        assert larger.size == (24, 20)


def test_a_choice_between_networks_is_said(tmp_path: Path) -> None:
    weights = build("espcn", {}).state_dict()
    torch.save({"params": weights, "params_ema": weights}, tmp_path / "net.pth")
    result = run("import", "net.pth", folder=tmp_path)
    assert result.returncode == 0
    assert result.stderr == (
        "warning: net.pth holds several networks; taken: the averaged weights (EMA), not those of the last step\n"
    )


def test_an_error_is_one_sentence_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "page.pth").write_text("<!DOCTYPE html><html>404</html>")
    result = run("import", "page.pth", "-o", "models", folder=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("hyperacuity: page.pth is a web page")
    assert names(tmp_path) == {"page.pth"}
    assert not (tmp_path / "models").exists()
