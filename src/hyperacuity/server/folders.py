"""Where files lie: one folder for each upload and each job, named by its id; and what is swept up after a crash."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path


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

    def sweep(self, uploads: Iterable[str], jobs: Iterable[str]) -> int:
        """Remove the folders that no row of the store names, and what killed workers left half written.

        Returns:
            How many were removed.
        """
        removed = 0
        for parent, known in ((self.uploads, set(uploads)), (self.jobs, set(jobs))):
            for folder in parent.iterdir():
                if folder.name not in known:
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
