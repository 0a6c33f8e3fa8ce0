"""What a system needs to run a server: the unit of systemd, and the Dockerfile."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_DEPLOY = Path(__file__).parents[2] / "deploy"


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    text = (_DEPLOY / "hyperacuity.service").read_text()
    command = "/opt/hyperacuity/bin/hyperacuity"
    assert text.count(command) == 1
    unit = tmp_path / "hyperacuity.service"
    unit.write_text(text.replace(command, sys.executable))  # it must exist
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "hyperacuity.service" in line]
    assert complaints == []


def test_the_linter_accepts_the_dockerfile() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("needs hadolint, of the extra dev")
    done = subprocess.run([linter, "--no-color", str(_DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
