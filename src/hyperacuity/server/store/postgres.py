"""The store of several servers: PostgreSQL, through psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from hyperacuity.errors import MissingDependency, UsageError
from hyperacuity.server.store.database import Row, Transaction
from hyperacuity.server.store.schema import TABLES, VERSION
from hyperacuity.server.store.store import Store


class PostgresStore(Store):
    """A store in a PostgreSQL database.

    Args:
        address: postgresql://...; the password is best given in the environment (PGPASSWORD).

    Raises:
        UsageError: The database cannot be opened, or is of another version.
        MissingDependency: psycopg is not installed.
    """

    claim_lock = "FOR UPDATE SKIP LOCKED"

    def __init__(self, address: str) -> None:
        try:
            import psycopg
            from psycopg_pool import ConnectionPool
        except ImportError as error:
            raise MissingDependency("a PostgreSQL store needs: pip install 'hyperacuity[postgres]'") from error
        try:
            self._pool = ConnectionPool(address, min_size=1, max_size=8, open=True, timeout=10)
            self._pool.wait(10)
            with self.transaction() as run:
                # Two servers that start at once would otherwise both make the tables.
                run.rows("SELECT pg_advisory_xact_lock(?)", 1751741552)
                for table in TABLES:
                    run.rows(table.format(serial="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"))
                found = run.rows("SELECT number FROM version")
                if not found:
                    run.rows("INSERT INTO version (number) VALUES (?)", VERSION)
        except psycopg.Error as error:
            raise UsageError(f"cannot open the PostgreSQL store: {error}") from error
        if found and found[0][0] != VERSION:
            raise UsageError(f"the store was written by another version of the server ({found[0][0]}, not {VERSION})")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._pool.connection() as connection:
            yield _PostgresTransaction(connection)

    def reading(self) -> AbstractContextManager[Transaction]:
        return self.transaction()

    def now(self) -> float:
        with self.transaction() as run:
            return float(run.rows("SELECT EXTRACT(EPOCH FROM clock_timestamp())::DOUBLE PRECISION")[0][0])

    def close(self) -> None:
        self._pool.close()


class _PostgresTransaction:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: Any) -> list[Row]:
        cursor = self._connection.execute(sql.replace("?", "%s"), values or None)
        return cursor.fetchall() if cursor.description is not None else []
