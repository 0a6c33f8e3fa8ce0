"""What the two databases have in common: transactions and a clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = Sequence[Any]


class Transaction(Protocol):
    """A running transaction."""

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """Run a statement, with `?` for each value, and return its rows."""
        ...


class Database(ABC):
    """A database whose methods may be called from any thread."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that other writers wait for; it is rolled back by an exception."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Transaction]:
        """Begin to read uploads, jobs and events, as of the last transaction that has ended."""

    @abstractmethod
    def now(self) -> float:
        """The time by which leases end: one clock for all servers."""

    @abstractmethod
    def close(self) -> None:
        """Close the database."""
