"""The interface against its own description, by Schemathesis, as two users."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.server.conftest import STRICT, Users, users, with_users

pytestmark = pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs Schemathesis, of the extra dev")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Users]:
    """A server of this test's own, since it fills what the users may keep."""
    with with_users(tmp_path / "data", STRICT.replace("500_000", "500_000_000")) as made:
        yield made


# What a request may be answered with although it has the form that the description asks for: the description cannot
# say which uploads, jobs, models and options there are, nor how much a user keeps already.
_ACCEPTED = ["2xx", "400", "401", "403", "404", "408", "409", "411", "412", "413", "415", "416", "422", "429"]
# tus wants 412 for another version of the protocol (tus.io/protocols/resumable-upload, "Tus-Resumable").
_REFUSED = ["400", "401", "403", "404", "405", "406", "409", "411", "412", "413", "415", "416", "422", "429"]
# A header that the description does not have makes a request wrong for Schemathesis, but not for HTTP.
_WITH_HEADERS = "/v1/(uploads.*|upscale|jobs/.*/events)"
_HOOKS = """
import schemathesis
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
"""


def run(server: Users, folder: Path, seconds: int, examples: int) -> str:
    """Run all phases and checks (the default), and return the report."""
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
        [[operations]]
        include-path-regex = "{_WITH_HEADERS}"
        checks.negative_data_rejection.enabled = false
        """
    )
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"]
    command += [f"{server.server.address}v1/openapi.json", "--phases", "examples,coverage,fuzzing,stateful"]
    command += ["--seed", "1", "--max-examples", str(examples), "--max-time", str(seconds)]
    command += ["--no-color", "--request-timeout", "100", "--generation-database", "none", "--continue-on-failure"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_interface_is_as_it_is_described(alone: Users, tmp_path: Path) -> None:
    run(alone, tmp_path, seconds=60, examples=20)


@pytest.mark.long
def test_the_interface_is_as_it_is_described_for_ten_minutes(alone: Users, tmp_path: Path) -> None:
    print(run(alone, tmp_path, seconds=600, examples=300))
