"""A PostgreSQL cluster of the tests' own: in a temporary folder, reached by a Unix socket, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_PATIENCE = 300.0
# What a crash of the machine would lose need not be kept; nothing is reached by network.
_OPTIONS = "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60"


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster; yields the folder of its socket. Skips the test where PostgreSQL is missing."""
    pytest.importorskip("psycopg_pool", reason="needs psycopg, of the extra postgres")
    programs = _programs()
    # PostgreSQL does not run as root.
    user: dict[str, Any] = {}
    if sys.platform == "win32":
        pytest.skip("needs Unix sockets")
    if os.getuid() == 0:
        import pwd

        with contextlib.suppress(KeyError):
            user = {"user": pwd.getpwnam("postgres").pw_uid, "extra_groups": []}
        if not user:
            pytest.skip("needs the user postgres, since PostgreSQL does not run as root")
    # Not pytest's own folder, which others may not enter, and whose name is too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="hyperacuity-postgres-"))
    if user:
        os.chown(folder, user["user"], -1)

    def run(*command: str, check: bool = True) -> None:
        log = folder / "commands.log"
        with log.open("ab") as output:  # not a pipe, which the server would keep open
            done = subprocess.run(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder, timeout=_PATIENCE, **user
            )
        if check and done.returncode != 0:
            pytest.fail(f"{command[0]} failed: {log.read_text()}")

    data = str(folder / "data")
    control = str(programs / "pg_ctl")
    try:
        run(str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"{_OPTIONS} -k {folder}"
        wait = ["-w", "-t", str(int(_PATIENCE))]
        run(control, "-D", data, "-l", str(folder / "server.log"), "-o", options, *wait, "start")
        try:
            yield str(folder)
        finally:
            run(control, "-D", data, "-m", "immediate", *wait, "stop", check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def address(folder: str, database: str) -> str:
    """Return the address of a database for `--store`."""
    return f"postgresql://postgres@/{database}?host={folder}"


def _programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian keeps out of the path; the newest."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.skip("needs PostgreSQL's programs (Debian: postgresql)")
