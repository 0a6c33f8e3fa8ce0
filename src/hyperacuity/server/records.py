"""What the store keeps: jobs, uploads, users, events."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """The states of a job: waiting -> running -> done, failed or cancelled; a lost worker makes it wait again."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether no other state can follow."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


def new_id() -> str:
    """Return an identifier that cannot be guessed: 128 random bits, safe in addresses and file names."""
    return secrets.token_hex(16)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that a client sends, in one or several parts.

    Attributes:
        id: From `new_id`; also the name of its folder.
        owner: The id of its user.
        name: What the client calls it: data for headers, never a path.
        length: Its bytes when it is complete.
        offset: The bytes that have arrived.
        created, expires: Seconds since 1970.
    """

    id: str
    owner: str
    name: str
    length: int
    offset: int = 0
    created: float = 0.0
    expires: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all bytes have arrived."""
        return self.offset == self.length


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task for the workers.

    Attributes:
        id: From `new_id`; also the name of its folder.
        owner: The id of its user.
        upload: The id of the upload that is its source.
        name: What the client calls its source.
        task: The request: a `Task` as JSON, without source and target.
        state: See `JobState`.
        priority: Higher ones run first; equal ones take turns between owners.
        attempts: How often a worker has begun it.
        progress: The share that is done, from 0 to 1.
        cancelling: Whether its owner has asked to end it.
        outcome: An `Outcome` as JSON, when it is done or has failed; else None.
        created, started, finished: Seconds since 1970; 0 before.
        expires: When it and its files are removed; 0 while it has not ended.
    """

    id: str
    owner: str
    upload: str
    name: str
    task: Mapping[str, Any]
    state: JobState = JobState.WAITING
    priority: int = 0
    attempts: int = 0
    progress: float = 0.0
    cancelling: bool = False
    outcome: Mapping[str, Any] | None = None
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    expires: float = 0.0


@dataclass(frozen=True)
class Claim:
    """A job that a worker has begun; the token proves it, until the lease ends without a heartbeat."""

    job: Job
    token: str


@dataclass(frozen=True)
class User:
    """Who owns uploads and jobs."""

    id: str
    name: str


@dataclass(frozen=True)
class Event:
    """A change of a job, in order of `number`."""

    number: int
    job: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
