"""The store of one server: a file, written by one process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hyperacuity.errors import UsageError
from hyperacuity.server.store.database import Row, Transaction
from hyperacuity.server.store.schema import TABLES, VERSION
from hyperacuity.server.store.store import Store


class SqliteStore(Store):
    """A store in one file.

    The journal is a rollback journal: SQLite's write-ahead log has a rare corruption with several writers before
    3.51.3 (sqlite.org/wal.html). `synchronous` stays FULL, so that what was accepted survives a power cut: the end of a
    transaction waits several times for the disk. Readers of uploads, jobs and events do not wait with it: they read a
    copy in memory, which a transaction changes when it has ended on the disk. Only the server writes these tables;
    accounts, which the command line changes as well, are always read from the file.

    Args:
        path: The file.

    Raises:
        UsageError: The file cannot be opened, is not a store, or is of another version.
    """

    reads_at_once = True

    def __init__(self, path: Path) -> None:
        self._lock, self._copy_lock = threading.RLock(), threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection, self._copy = _connect(str(path)), _connect(":memory:")
            self._connection.execute("PRAGMA journal_mode = TRUNCATE")
            self._connection.backup(self._copy)
            with self.transaction() as run:
                for table in TABLES:
                    run.rows(table.format(serial="INTEGER PRIMARY KEY AUTOINCREMENT"))
                found = run.rows("SELECT number FROM version")
                if not found:
                    run.rows("INSERT INTO version (number) VALUES (?)", VERSION)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"cannot open the store {path}: {error}") from error
        if found and found[0][0] != VERSION:
            raise UsageError(f"{path} was written by another version of the server ({found[0][0]}, not {VERSION})")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            run = _SqliteTransaction(self._connection)
            try:
                yield run
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            with self._copy_lock:
                for sql, values in run.changes:
                    self._copy.execute(sql, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        with self._copy_lock:
            yield _SqliteTransaction(self._copy)

    def now(self) -> float:
        return time.time()

    def close(self) -> None:
        with self._lock, self._copy_lock:
            self._connection.close()
            self._copy.close()


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)


class _SqliteTransaction:
    """A transaction, and the statements of it that change something."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.changes: list[tuple[str, Sequence[Any]]] = []

    def rows(self, sql: str, *values: Any) -> list[Row]:
        if not sql.startswith("SELECT"):
            self.changes.append((sql, values))
        return self._connection.execute(sql, values).fetchall()
