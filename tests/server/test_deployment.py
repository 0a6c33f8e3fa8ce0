"""What a system needs to run a server: the unit of systemd, and the Dockerfile."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.server.conftest import png

ROOT = Path(__file__).parents[2]
_DEPLOY = ROOT / "deploy"


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


@pytest.mark.long
def test_the_container_is_built_and_serves(tmp_path: Path) -> None:
    """On a base that debootstrap makes, since images of others cannot be pulled everywhere; some minutes."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("buildah", "debootstrap"))):
        pytest.skip("needs root, buildah and debootstrap")
    environment = {**os.environ, "STORAGE_DRIVER": "vfs"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    base, context = tmp_path / "base", tmp_path / "context"
    run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", base)
    for settings in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):  # a mirror, and its certificate
        if Path(settings).is_file():
            shutil.copy(settings, base / settings.lstrip("/"))
    run("tar", "--create", "--file", tmp_path / "base.tar", "--directory", base, ".")
    (tmp_path / "Base").write_text("FROM scratch\nADD base.tar /\n")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", context / "dist")
    shutil.copy(ROOT / "constraints.txt", context)
    build = ("buildah", "bud", "--isolation", "chroot", "--quiet")
    bare = run(*build, "--file", tmp_path / "Base", tmp_path).strip()
    image = run(*build, "--build-arg", f"BASE={bare}", "--file", _DEPLOY / "Dockerfile", context).strip()
    container = run("buildah", "from", image).strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = ("/opt/hyperacuity/bin/hyperacuity", "serve", "--port", str(port), "--data", "/data")
    inside = ("buildah", "run", "--isolation", "chroot", "--user", "10001", container, "--")
    with subprocess.Popen([*inside, *serve], stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Hyperacuity listens on")
            address = f"http://127.0.0.1:{port}/v1/upscale?scale=2"
            answer = httpx.post(address, content=png(20, 30), headers={"Prefer": "wait=30"}, timeout=60)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.terminate()
    run("buildah", "rm", container)
    run("buildah", "rmi", "--force", image, bare)
