"""The batch script of a training."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hyperacuity.cluster.training_job import TrainingJob
from tests.cli.process import run
from tests.cli.test_train import RECIPE

# Programs of Slurm: `srun` prints its words, one a line; `scontrol` knows one node.
SRUN = '#!/bin/sh\nprintf "%s\\n" "$@"\n'
SCONTROL = """#!/bin/sh
case "$2" in
hostnames) echo n1; echo n2 ;;
node) printf 'NodeName=n1 Arch=x\\n   NodeAddr=10.0.0.7 NodeHostName=n1\\n' ;;
*) echo "scontrol $*" ;;
esac
"""


@pytest.fixture
def slurm(tmp_path: Path) -> Path:
    if shutil.which("bash") is None or os.name != "posix":
        pytest.skip("batch scripts need bash")
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def words(script: str, programs: Path, restarts: int) -> list[str]:
    """What srun gets."""
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_ID": "12345",
        "SLURM_RESTART_COUNT": str(restarts),
    }
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_the_processes_of_all_nodes_meet_and_a_restart_resumes(slurm: Path) -> None:
    job = TrainingJob(["a recipe.toml", "--output", "runs/a b"], "hyperacuity-a", "runs/a b", 2, 4)
    first = words(job.script(), slurm, 0)
    assert {"--nnodes=2", "--nproc-per-node=4", "--rdzv-id=12345-0", "--rdzv-endpoint=10.0.0.7:22345"} <= set(first)
    assert first[first.index("train") :] == ["train", "a recipe.toml", "--output", "runs/a b"]
    assert words(job.script(), slurm, 1)[-1] == "--resume"
    assert "#SBATCH --requeue" in job.script()
    assert "#SBATCH --gpus-per-node=4" in job.script()
    assert "--gpus" not in TrainingJob([], "a", "runs/a", 2, gpus=False).script()


def test_the_command_writes_the_script(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "tiny.toml").write_text(RECIPE)
    given = ["train", "tiny.toml", "--slurm", "2", "--device", "cpu", "--set", "steps=7", "--sbatch", "--time=1:00:00"]
    done = run(*given, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"submit it with: sbatch {Path('runs', 'tiny-x2', 'train.sbatch')}\n"
    script = (tmp_path / "runs/tiny-x2/train.sbatch").read_text()
    assert "#SBATCH --nodes=2" in script
    assert "#SBATCH --time=1:00:00" in script
    assert "train tiny.toml --set steps=7 --output runs/tiny-x2 --device cpu" in script
