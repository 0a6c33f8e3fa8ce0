"""The store of one server: a file, written by one process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
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
    3.51.3 (sqlite.org/wal.html). `synchronous` stays FULL, so that what was accepted survives a power cut.

    Args:
        path: The file.

    Raises:
        UsageError: The file cannot be opened, is not a store, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._connection.execute("PRAGMA journal_mode = TRUNCATE")
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
            try:
                yield _SqliteTransaction(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def now(self) -> float:
        return time.time()

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: Any) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()
