"""The interface against its own description, by Schemathesis, as two users."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.conftest import Users, users

pytest.importorskip("schemathesis", reason="needs Schemathesis, of the extra dev")

# What a request may be answered with although it has the form that the description asks for: the description cannot
# say which uploads, jobs, models and options there are, nor how much a user keeps already.
_ACCEPTED = ["2xx", "400", "401", "403", "404", "408", "409", "411", "412", "413", "415", "416", "422", "429"]


# tus wants 412 for another version of the protocol (tus.io/protocols/resumable-upload, "Tus-Resumable").
_REFUSED = ["400", "401", "403", "404", "405", "406", "409", "411", "412", "413", "415", "416", "422", "429"]
_HOOKS = """
import schemathesis
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
"""


def run(server: Users, folder: Path, seconds: int, examples: int) -> str:
    """Run all phases and checks, and return the report."""
    tokens = {name: users(server.server.data, "token", name) for name in ("ada", "bob")}
    logins = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
        for name, token in tokens.items()
    ]
    (folder / "hooks.py").write_text(_HOOKS)
    (folder / "logins.json").write_text(json.dumps({"auth": logins}))
    (folder / "schemathesis.toml").write_text(
        f"""
        hooks = "hooks.py"
        [auth.wfc]
        path = {json.dumps(str(folder / "logins.json"))}
        peers = ["ada", "bob"]
        [checks.positive_data_acceptance]
        expected-statuses = {json.dumps(_ACCEPTED)}
        [checks.negative_data_rejection]
        expected-statuses = {json.dumps(_REFUSED)}
        [checks.missing_required_header]
        expected-statuses = {json.dumps(_REFUSED)}
        """
    )
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"]
    command += [f"{server.server.address}v1/openapi.json", "--phases", "examples,coverage,fuzzing,stateful"]
    command += ["--checks", "all", "--seed", "1", "--max-examples", str(examples), "--max-time", str(seconds)]
    command += ["--no-color", "--request-timeout", "100", "--generation-database", "none", "--continue-on-failure"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_interface_is_as_it_is_described(strict: Users, tmp_path: Path) -> None:
    print(run(strict, tmp_path, seconds=60, examples=20))
