"""What a store does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file or an object as its store describes it.

    Attributes:
        size: In bytes.
        modified: When it was written, in seconds since 1970 by the clock of the store.
        tag: Differs if the content may differ: the ETag of an object, or the time of a file in nanoseconds.
    """

    size: int
    modified: float
    tag: str

    def identity(self) -> list[int | str]:
        """Returns what tells whether the file has changed, as plain data."""
        return [self.size, self.tag]


class Store(ABC):
    """Files by their locations. What is written is there completely or not at all.

    All methods but `answers` raise `UsageError` if the store refuses (permission, full, read-only), and `Unreachable`
    if it does not answer in a time that `HYPERACUITY_STORE_PATIENCE` sets.

    Attributes:
        local: Whether locations are paths that every library can open.
    """

    local: bool

    @abstractmethod
    def find(self, location: str) -> Entry | None:
        """Returns the entry of a file; None if there is none. Never answered from a list, which may be late."""

    @abstractmethod
    def list(self, folder: str) -> dict[str, Entry]:
        """Returns the files in a folder by name; it may miss recent ones. Empty if there is no such folder."""

    @abstractmethod
    def walk(self, folder: str) -> dict[str, Entry]:
        """Returns the files below a folder by their path relative to it."""

    @abstractmethod
    def read(self, location: str) -> bytes | None:
        """Returns the content of a small file; None if there is none."""

    @abstractmethod
    def write(self, location: str, data: bytes) -> None:
        """Write a small file, in place of one that exists."""

    @abstractmethod
    def create(self, location: str, data: bytes) -> bool:
        """Write a small file unless one exists. Returns whether it was written: of several callers only one gets True.

        Args:
            location: The file.
            data: Its content, which differs from that of every other caller.
        """

    @abstractmethod
    def fetch(self, location: str, target: Path) -> None:
        """Copy a file to a local path."""

    @abstractmethod
    def publish(self, source: Path, location: str, mark: str) -> None:
        """Copy a local file, or a folder, to a location in one atomic step, in place of one that exists.

        Args:
            source: The local file.
            location: Its new place.
            mark: A word for the names of temporary files: those that a killed publication of the same mark and location
                has left are removed.
        """

    @abstractmethod
    def remove(self, location: str) -> None:
        """Remove a file if it exists."""

    @abstractmethod
    def sweep(self, folder: str) -> None:
        """Remove what killed writers have left in a folder that is no longer written to."""

    @abstractmethod
    def answers(self, location: str) -> bool:
        """Returns whether the store answers questions about a location now, after a shorter time than others wait."""

    @abstractmethod
    def now(self, folder: str) -> float:
        """Returns the time of the store's clock: that of a file written now in this folder."""
