"""Where jobs, uploads, users and events are kept, so that nothing that was accepted is lost.

schema            the tables
database          transactions and a clock
accounts, store   the verbs and their SQL: users and tokens; uploads, jobs and events
sqlite, postgres  the two databases
"""

from __future__ import annotations

from pathlib import Path

from hyperacuity.errors import UsageError
from hyperacuity.server.store.store import Store

__all__ = ["Store", "open_store"]


def open_store(address: str, data: Path) -> Store:
    """Open a store, with its tables made if they are missing.

    Args:
        address: "sqlite", for the file jobs.sqlite in the data folder, or postgresql://...
        data: The server's data folder.

    Raises:
        UsageError: For an unknown address, or a database that cannot be opened.
        MissingDependency: PostgreSQL's driver is not installed.
    """
    if address == "sqlite":
        from hyperacuity.server.store.sqlite import SqliteStore

        return SqliteStore(data / "jobs.sqlite")
    if address.startswith(("postgresql://", "postgres://")):
        from hyperacuity.server.store.postgres import PostgresStore

        return PostgresStore(address)
    raise UsageError(f"unknown store {address.split('://', maxsplit=1)[0]!r}: give sqlite or postgresql://...")
