"""Runs that are killed or stopped, and resumed."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from hyperacuity import storage
from hyperacuity.datasets import LeftOutWarning
from hyperacuity.errors import UsageError
from hyperacuity.task import Stop, Stopped
from hyperacuity.train import read_recipe, train
from hyperacuity.train.checkpoint import Checkpoints
from tests.train.runs import GAN, PAIRS_GAN, VAE, assert_equal, trained, weights


def test_a_killed_run_resumes_to_the_same_weights(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "whole")
    code = (
        "import sys, time; from pathlib import Path; from hyperacuity import export\n"
        "from hyperacuity.train import read_recipe, train\n"
        "export.to_onnx = lambda network, card: b'onnx'\n"
        "for p in train(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), device='cpu'):\n"
        "    print(p.step, flush=True)\n"
        "    time.sleep(60 * (p.step == 8))\n"
    )
    arguments = [sys.executable, "-c", code, str(recipe), str(tmp_path / "killed")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 8:
            pass
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    assert not (tmp_path / "killed/tiny-x2.safetensors").exists()
    resumed = trained(recipe, tmp_path / "killed", resume=True)
    assert resumed[0].step == 7  # after the checkpoint of step 6
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def _stop_after(step: int, recipe: Path, folder: Path) -> None:
    with contextlib.closing(train(read_recipe(recipe), folder, device="cpu")) as stopped:
        while next(stopped).step < step:
            pass


def test_a_damaged_image_is_left_out_and_a_resumed_run_ends_alike(recipe: Path, tmp_path: Path) -> None:
    for folder in ("train", "validation", "report"):
        whole = tmp_path / folder / "0.png"
        (tmp_path / folder / "2.png").write_bytes(whole.read_bytes()[:-300])  # its header is intact
        (tmp_path / folder / "._0.png").write_bytes(b"\0\5\26\7")
        (tmp_path / folder / "3.png").write_bytes(b"\0\5\26\7")
    with pytest.warns(LeftOutWarning) as warned:
        trained(recipe, tmp_path / "whole")
    texts = [str(warning.message) for warning in warned]
    assert all(any(f"{folder}/2.png" in text for text in texts) for folder in ("train", "validation", "report"))
    assert all("/3.png" not in text or "1 image is left out" in text for text in texts)
    assert not any("._0" in text for text in texts)
    with pytest.warns(LeftOutWarning):
        _stop_after(7, recipe, tmp_path / "stopped")
    with pytest.warns(LeftOutWarning):
        trained(recipe, tmp_path / "stopped", resume=True)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


@pytest.mark.parametrize(
    "changes",
    [GAN, VAE, PAIRS_GAN, {"degradation": {"kind": "chain"}}, {"data.hardest_of": 3}],
    ids=["gan", "vae", "pairs", "chain", "hard patches"],
)
def test_random_draws_continue_after_resuming(changes: dict[str, Any], recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "whole", changes)
    with contextlib.closing(train(read_recipe(recipe, changes), tmp_path / "stopped", device="cpu")) as stopped:
        while next(stopped).step < 7:
            pass
    trained(recipe, tmp_path / "stopped", changes, resume=True)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


def test_a_stopped_run_ends_at_its_step_and_can_be_resumed(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "whole")
    stop, steps = Stop(), []

    def run() -> None:
        for progress in train(read_recipe(recipe), tmp_path / "stopped", device="cpu", stop=stop):
            steps.append(progress.step)
            if progress.step == 7:
                stop.set()

    with pytest.raises(Stopped):
        run()
    assert steps[-1] == 7
    assert not (tmp_path / "stopped/tiny-x2.safetensors").exists()
    state = Checkpoints(tmp_path / "stopped/checkpoints", 2).latest()
    assert state is not None
    assert state.step == 6
    assert trained(recipe, tmp_path / "stopped", resume=True)[0].step == 7
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


def test_a_run_can_be_stopped_while_images_are_decoded(recipe: Path, tmp_path: Path) -> None:
    stop = Stop()
    run = train(read_recipe(recipe), tmp_path / "run", device="cpu", stop=stop)
    assert not next(run).losses
    stop.set()
    with pytest.raises(Stopped):
        next(run)
    assert not (tmp_path / "run").exists()


def test_the_gradient_scale_of_fp16_is_resumed(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a scale that grows at every second step; on CPUs, Fabric would use bf16, which has no scale."""

    def fabric(**options: Any) -> Fabric:
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
        del options["precision"]
        options["plugins"].append(MixedPrecision("16-mixed", "cpu", scaler))
        return Fabric(**options)

    def scale(folder: Path) -> float:
        state = Checkpoints(folder / "checkpoints", 2).latest()
        assert state is not None
        return float(state.precision["scale"])

    monkeypatch.setattr("hyperacuity.train.assembly.Fabric", fabric)
    trained(recipe, tmp_path / "whole", {"steps": 6})
    with contextlib.closing(train(read_recipe(recipe, {"steps": 6}), tmp_path / "stopped", device="cpu")) as stopped:
        while next(stopped).step < 4:
            pass
    trained(recipe, tmp_path / "stopped", {"steps": 6}, resume=True)
    assert scale(tmp_path / "whole") == scale(tmp_path / "stopped") == 4.0 * 2**3
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


def test_a_run_is_neither_overwritten_nor_resumed_by_another_recipe(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run", {"steps": 3})
    with pytest.raises(UsageError, match="use resume=True"):
        trained(recipe, tmp_path / "run")
    with pytest.raises(UsageError, match="another recipe"):
        trained(recipe, tmp_path / "run", resume=True)


def test_models_are_written_later_if_the_disk_is_full_at_the_end(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage.Partial, "write", full)
        with pytest.raises(UsageError, match=r"tiny-x2 cannot be written .*: use resume=True"):
            trained(recipe, tmp_path / "run", {"steps": 3})
    assert not list((tmp_path / "run").glob("tiny-x2*"))
    assert trained(recipe, tmp_path / "run", {"steps": 3}, resume=True) == []
    assert (tmp_path / "run/tiny-x2.onnx").exists()
