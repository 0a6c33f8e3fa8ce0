"""The tables, in the SQL that SQLite and PostgreSQL share."""

from __future__ import annotations

VERSION = 1

TABLES = (
    "CREATE TABLE IF NOT EXISTS version (number INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS users (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT, created DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS tokens (
        hash TEXT PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS uploads (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, length BIGINT NOT NULL, "offset" BIGINT NOT NULL,
        created DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS jobs (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, upload TEXT NOT NULL, name TEXT NOT NULL, task TEXT NOT NULL,
        state TEXT NOT NULL, priority INTEGER NOT NULL, attempts INTEGER NOT NULL, progress DOUBLE PRECISION NOT NULL,
        cancelling INTEGER NOT NULL, outcome TEXT, created DOUBLE PRECISION NOT NULL,
        started DOUBLE PRECISION NOT NULL, finished DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION NOT NULL,
        token TEXT, lease DOUBLE PRECISION NOT NULL, restarts INTEGER NOT NULL, bytes BIGINT NOT NULL,
        idempotency TEXT)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS jobs_idempotency ON jobs (owner, idempotency)",
    "CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state, priority, created)",
    "CREATE INDEX IF NOT EXISTS jobs_owner ON jobs (owner, created)",
    """CREATE TABLE IF NOT EXISTS events (
        number {serial}, job TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS events_job ON events (job, number)",
)
