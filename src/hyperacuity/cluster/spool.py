"""Folders for files that are being worked on, on a disk of this machine. What killed workers left is removed."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hyperacuity.cluster.leases import this_machine
from hyperacuity.storage import lock_file, storing


def default_spool() -> Path:
    """Returns the folder for the spool folders of this user."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return Path(tempfile.gettempdir(), f"hyperacuity-spool-{getpass.getuser()}")
    return Path(tempfile.gettempdir(), "hyperacuity-spool")


@contextlib.contextmanager
def spool_folder(base: Path | None = None) -> Iterator[Path]:
    """Yield a new, empty folder, which is removed in the end; those of processes that were killed are removed first."""
    base = base or default_spool()
    with storing(base / "spool"):
        base.mkdir(parents=True, exist_ok=True)
        sweep_spool(base)
        while True:
            folder = base / f"{this_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
            folder = folder.with_name(folder.name.replace(".", "_"))
            lock = (folder.with_suffix(".lock")).open("ab")
            if lock_file(lock) and folder.with_suffix(".lock").exists():
                break
            lock.close()
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.with_suffix(".lock").unlink()
        lock.close()


def sweep_spool(base: Path) -> None:
    """Remove the folders of processes of this machine that have ended."""
    import psutil

    for path in base.glob("*.lock"):
        owner, _, _ = path.stem.rpartition("-")
        place, _, number = owner.rpartition("-")
        if place != this_machine().replace(".", "_") or psutil.pid_exists(int(number)):
            continue
        # Processes of other containers have other numbers: the lock is what counts.
        with contextlib.suppress(OSError), path.open("ab") as lock:
            if lock_file(lock):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink()
