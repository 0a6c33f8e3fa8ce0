"""Every script in examples/ runs and prints what it promises."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Script -> the module of the extra that it needs, and what its output contains.
EXAMPLES = {
    "enlarge_array.py": (None, "(96, 128, 3) uint8\n(150, 200, 3) uint8\n(144, 192) uint8"),
    "enlarge_folder.py": (None, "1 of 2 files failed"),
    "enlarge_video.py": ("av", "128 x 96, 6 frames"),
    "train_on_ten_images.py": ("lightning_fabric", "tiny-x2.safetensors made result.png: (160, 160)"),
    "add_a_network.py": ("torch", "(40, 60)"),
    "evaluate_two_models.py": (None, "bicubic: "),
}


def test_every_example_is_listed() -> None:
    scripts = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert scripts == set(EXAMPLES)
    readme = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    assert all(f"]({name})" in readme for name in scripts)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name: str, tmp_path: Path) -> None:
    needs, expected = EXAMPLES[name]
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path / ".inductor")
    command = [sys.executable, str(ROOT / "examples" / name)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert run.returncode == 0, run.stderr
    assert expected in run.stdout
    # Nothing is left behind but what runtimes hide there.
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
