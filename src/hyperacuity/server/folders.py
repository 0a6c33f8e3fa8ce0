"""Where files lie: one folder for each upload and each job, named by its id; and what is swept up after a crash."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

# The previews in a job's folder (`previews`).
BEFORE, AFTER = "before.jpg", "after.jpg"


class Folders:
    """The folders below the server's data folder. Names that clients give are never part of a path.

    Args:
        data: The data folder.
    """

    def __init__(self, data: Path) -> None:
        self.data, self.uploads, self.jobs = data, data / "uploads", data / "jobs"
        for folder in (self.uploads, self.jobs):
            folder.mkdir(parents=True, exist_ok=True)

    def source(self, upload: str) -> Path:
        """Return the file of an upload."""
        return self.uploads / upload / "source"

    def job(self, job: str) -> Path:
        """Return the folder of a job."""
        return self.jobs / job

    def result(self, job: str) -> Path | None:
        """Return the result of a job: the one file called `result` with any ending; None if there is none."""
        return next(iter(sorted(self.job(job).glob("result.*"))), None)

    def free_share(self) -> float:
        """Return the share of the disk that is free."""
        usage = shutil.disk_usage(self.data)
        return usage.free / usage.total

    def remove_upload(self, upload: str) -> None:
        """Remove the files of an upload."""
        _remove(self.uploads / upload)

    def remove_job(self, job: str) -> None:
        """Remove the files of a job."""
        _remove(self.jobs / job)

    def size(self, job: str) -> int:
        """Return the bytes of the files of a job."""
        return sum(path.stat().st_size for path in self.job(job).rglob("*") if path.is_file())

    def sweep(self, uploads: Iterable[str], jobs: Iterable[str], age: float = 0.0) -> int:
        """Remove the folders that no row of the store names.

        Args:
            uploads, jobs: The ids that the store names.
            age: Folders that were changed in the last `age` seconds stay: their row may be on its way, from this server
                or from another one that shares the data folder.

        Returns:
            How many were removed.
        """
        removed, newest = 0, time.time() - age
        for parent, known in ((self.uploads, set(uploads)), (self.jobs, set(jobs))):
            for folder in parent.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if folder.name not in known and folder.stat().st_mtime <= newest:
                        _remove(folder)
                        removed += 1
        return removed

    def clear_partial(self, job: str) -> None:
        """Remove what a killed worker left half written; segments of videos stay, so that the next one resumes."""
        for path in self.job(job).glob(".*.part"):
            with contextlib.suppress(OSError):
                path.unlink()


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
