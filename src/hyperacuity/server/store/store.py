"""The verbs of a store, over two databases that speak nearly the same SQL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from hyperacuity.server.records import Claim, Event, Job, JobState, Upload
from hyperacuity.server.store.accounts import AccountStore
from hyperacuity.server.store.database import Row, Transaction
from hyperacuity.task import Message, Outcome

# A job whose worker was lost so often is failed: it kills workers.
ATTEMPTS = 3
# One whose whole server was lost so often is failed as well: it may be what ends the machine.
RESTARTS = 10
_JOB = (
    "id, owner, upload, name, task, state, priority, attempts, progress, cancelling, outcome, created, started, "
    "finished, expires"
)
_UPLOAD = 'id, owner, name, length, "offset", created, expires'


class Store(AccountStore):
    """Uploads, jobs and their events, in addition to accounts."""

    # What the SELECT of a claim ends with, so that two servers do not wait for one another.
    claim_lock = ""
    # Whether those who only read uploads, jobs and events get them from memory.
    reads_at_once = False

    # Uploads

    def add_upload(self, upload: Upload) -> None:
        """Keep a new upload."""
        with self.transaction() as run:
            run.rows(
                f"INSERT INTO uploads ({_UPLOAD}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                upload.id, upload.owner, upload.name, upload.length, upload.offset, upload.created, upload.expires,
            )  # fmt: skip

    def upload(self, upload: str, owner: str) -> Upload | None:
        """Return an upload of this owner, or None."""
        with self.reading() as run:
            rows = run.rows(f"SELECT {_UPLOAD} FROM uploads WHERE id = ? AND owner = ?", upload, owner)
        return _upload(rows[0]) if rows else None

    def set_offset(self, upload: str, offset: int, expires: float) -> None:
        """Record how many bytes of an upload have arrived."""
        with self.transaction() as run:
            run.rows('UPDATE uploads SET "offset" = ?, expires = ? WHERE id = ?', offset, expires, upload)

    def remove_upload(self, upload: str) -> None:
        """Forget an upload."""
        with self.transaction() as run:
            run.rows("DELETE FROM uploads WHERE id = ?", upload)

    def in_use(self, upload: str, *, ended: bool = False) -> bool:
        """Return whether a job that has not ended needs an upload; with `ended`, whether any job does."""
        states = "" if ended else "AND state IN ('waiting', 'running')"
        with self.reading() as run:
            return bool(run.rows(f"SELECT 1 FROM jobs WHERE upload = ? {states} LIMIT 1", upload))

    def bytes_of(self, owner: str) -> int:
        """Return the bytes of all uploads and results of an owner."""
        with self.reading() as run:
            uploads = run.rows("SELECT COALESCE(SUM(length), 0) FROM uploads WHERE owner = ?", owner)
            results = run.rows("SELECT COALESCE(SUM(bytes), 0) FROM jobs WHERE owner = ?", owner)
        return int(uploads[0][0]) + int(results[0][0])

    # Jobs

    def submit(self, job: Job, idempotency: str | None = None) -> Job:
        """Keep a new job; with a key that this owner has used before, return the job of then instead.

        Args:
            job: The job, waiting.
            idempotency: The client's key for this request.
        """
        with self.transaction() as run:
            if idempotency is not None:
                sql = f"SELECT {_JOB} FROM jobs WHERE owner = ? AND idempotency = ?"
                rows = run.rows(sql, job.owner, idempotency)
                if rows:
                    return _job(rows[0])
            run.rows(
                f"INSERT INTO jobs ({_JOB}, lease, restarts, bytes, idempotency) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, NULL, ?, 0, 0, 0, 0, 0, 0, ?)",
                job.id, job.owner, job.upload, job.name, json.dumps(job.task), job.state, job.priority, job.created,
                idempotency,
            )  # fmt: skip
            _event(run, job.id, job.state)
        return job

    def job_of_key(self, owner: str, idempotency: str) -> Job | None:
        """Return the job that an owner submitted with a key, or None."""
        with self.reading() as run:
            rows = run.rows(f"SELECT {_JOB} FROM jobs WHERE owner = ? AND idempotency = ?", owner, idempotency)
        return _job(rows[0]) if rows else None

    def job(self, job: str, owner: str) -> Job | None:
        """Return a job of this owner, or None."""
        with self.reading() as run:
            rows = run.rows(f"SELECT {_JOB} FROM jobs WHERE id = ? AND owner = ?", job, owner)
        return _job(rows[0]) if rows else None

    def jobs(self, owner: str, limit: int, before: float | None = None) -> list[Job]:
        """Return the jobs of an owner, newest first, that were created before a time."""
        with self.reading() as run:
            sql = f"SELECT {_JOB} FROM jobs WHERE owner = ? AND created < ? ORDER BY created DESC, id LIMIT ?"
            rows = run.rows(sql, owner, 1e18 if before is None else before, limit)
        return [_job(row) for row in rows]

    def place(self, job: Job) -> int:
        """Return how many jobs are before a waiting one, at most."""
        with self.reading() as run:
            sql = (
                "SELECT COUNT(*) FROM jobs WHERE state = 'waiting' AND (priority > ? OR (priority = ? AND created < ?))"
            )
            return int(run.rows(sql, job.priority, job.priority, job.created)[0][0])

    def counts(self, owner: str | None = None) -> dict[str, int]:
        """Return how many jobs there are in each state, of one owner or of all."""
        where, values = ("WHERE owner = ?", (owner,)) if owner is not None else ("", ())
        with self.reading() as run:
            rows = run.rows(f"SELECT state, COUNT(*) FROM jobs {where} GROUP BY state", *values)
        return {state.value: 0 for state in JobState} | {str(state): int(count) for state, count in rows}

    # Work

    def claim(self, lease: float) -> Claim | None:
        """Begin the next job: of the highest priority, then of the owner who had the fewest turns, then the oldest.

        Args:
            lease: Seconds after which the job is given to another worker, unless a heartbeat comes.
        """
        with self.transaction() as run:
            rows = run.rows(
                "SELECT id FROM jobs WHERE state = 'waiting' ORDER BY priority DESC, "
                "(SELECT COUNT(*) FROM jobs AS running WHERE running.owner = jobs.owner AND running.state = 'running'),"
                "(SELECT COALESCE(MAX(begun.started), 0) FROM jobs AS begun WHERE begun.owner = jobs.owner), "
                f"created, id LIMIT 1 {self.claim_lock}"
            )
            if not rows:
                return None
            token, now = secrets.token_hex(16), self.now()
            run.rows(
                "UPDATE jobs SET state = 'running', token = ?, lease = ?, started = ?, attempts = attempts + 1, "
                "progress = 0 WHERE id = ?",
                token, now + lease, now, rows[0][0],
            )  # fmt: skip
            _event(run, rows[0][0], JobState.RUNNING)
            return Claim(_job(run.rows(f"SELECT {_JOB} FROM jobs WHERE id = ?", rows[0][0])[0]), token)

    def heartbeat(self, claim: Claim, lease: float, progress: float) -> bool | None:
        """Keep a job for longer and record its progress.

        Returns:
            Whether its owner wants it to end; None if the job no longer belongs to this claim.
        """
        with self.transaction() as run:
            rows = run.rows(
                "SELECT cancelling, progress FROM jobs WHERE id = ? AND token = ? AND state = 'running'",
                claim.job.id, claim.token,
            )  # fmt: skip
            if not rows:
                return None
            sql = "UPDATE jobs SET lease = ?, progress = ? WHERE id = ? AND token = ?"
            run.rows(sql, self.now() + lease, progress, claim.job.id, claim.token)
            if progress != rows[0][1]:  # only the last is kept: a video has thousands
                run.rows("DELETE FROM events WHERE job = ? AND kind = 'progress'", claim.job.id)
                _event(run, claim.job.id, "progress", {"progress": round(progress, 4)})
            return bool(rows[0][0])

    def finish(
        self, claim: Claim, state: JobState, outcome: Mapping[str, Any] | None, expires: float, size: int = 0
    ) -> bool:
        """End a job whose files have `size` bytes; False if it no longer belongs to this claim."""
        with self.transaction() as run:
            rows = run.rows(
                "UPDATE jobs SET state = ?, outcome = ?, finished = ?, expires = ?, bytes = ?, token = NULL, "
                "lease = 0, progress = CASE WHEN ? = 'done' THEN 1 ELSE progress END "
                "WHERE id = ? AND token = ? AND state = 'running' RETURNING id",
                state, None if outcome is None else json.dumps(outcome), self.now(), expires, size, state,
                claim.job.id, claim.token,
            )  # fmt: skip
            if rows:
                _event(run, claim.job.id, state)
            return bool(rows)

    def give_back(self, claim: Claim, *, blamed: bool) -> None:
        """Let a job wait again, since its worker ended; `blamed` counts it as an attempt of the job."""
        with self.transaction() as run:
            rows = run.rows(
                "UPDATE jobs SET state = 'waiting', token = NULL, lease = 0, progress = 0, attempts = attempts - ? "
                "WHERE id = ? AND token = ? AND state = 'running' RETURNING id",
                0 if blamed else 1, claim.job.id, claim.token,
            )  # fmt: skip
            if rows:
                _event(run, claim.job.id, JobState.WAITING)

    def recover(self, expires: float, *, everything: bool = False) -> list[str]:
        """Let jobs wait again whose server was lost, and fail those that have lost too many.

        A lost server is no attempt of the job: `attempts` counts the workers that were lost alone.

        Args:
            expires: When failed ones are removed.
            everything: Also those whose lease has not ended: at the start of the only server.

        Returns:
            The ids of the jobs.
        """
        with self.transaction() as run:
            sql = "SELECT id, restarts + 1, cancelling FROM jobs WHERE state = 'running' AND lease < ?"
            lost = run.rows(sql, 1e18 if everything else self.now())
            for job, restarts, cancelling in lost:
                if not cancelling and restarts < RESTARTS:
                    run.rows(
                        "UPDATE jobs SET state = 'waiting', token = NULL, lease = 0, progress = 0, "
                        "attempts = attempts - 1, restarts = ? WHERE id = ?",
                        restarts, job,
                    )  # fmt: skip
                    _event(run, job, JobState.WAITING)
                    continue
                state = JobState.CANCELLED if cancelling else JobState.FAILED
                message = Message(f"the server was lost {restarts} times during this job, so it is not tried again")
                outcome = Outcome("", "", error=None if cancelling else message).to_json()
                run.rows(
                    "UPDATE jobs SET state = ?, outcome = ?, token = NULL, lease = 0, finished = ?, expires = ? "
                    "WHERE id = ?",
                    state, json.dumps(outcome), self.now(), expires, job,
                )  # fmt: skip
                _event(run, job, state)
        return [str(job) for job, *_ in lost]

    def cancel(self, job: str, owner: str, expires: float) -> JobState | None:
        """Ask a job to end; one that waits ends at once. Returns its state, or None if there is no such job."""
        with self.transaction() as run:
            rows = run.rows("SELECT state FROM jobs WHERE id = ? AND owner = ?", job, owner)
            if not rows:
                return None
            state = JobState(rows[0][0])
            if state == JobState.RUNNING:
                run.rows("UPDATE jobs SET cancelling = 1 WHERE id = ?", job)
            elif state == JobState.WAITING:
                state = JobState.CANCELLED
                run.rows(
                    "UPDATE jobs SET state = ?, finished = ?, expires = ? WHERE id = ?", state, self.now(), expires, job
                )
                _event(run, job, state)
            return state

    def remove_job(self, job: str) -> None:
        """Forget a job and its events."""
        with self.transaction() as run:
            run.rows("DELETE FROM jobs WHERE id = ?", job)
            run.rows("DELETE FROM events WHERE job = ?", job)

    def expired(self, now: float) -> tuple[list[str], list[str]]:
        """Return the ids of the uploads and of the jobs whose time is over."""
        with self.reading() as run:
            uploads = run.rows(
                "SELECT id FROM uploads WHERE expires < ? AND id NOT IN "
                "(SELECT upload FROM jobs WHERE state IN ('waiting', 'running'))",
                now,
            )
            jobs = run.rows("SELECT id FROM jobs WHERE expires > 0 AND expires < ?", now)
        return [str(row[0]) for row in uploads], [str(row[0]) for row in jobs]

    def known(self) -> tuple[set[str], set[str]]:
        """Return the ids of all uploads and of all jobs."""
        with self.reading() as run:
            uploads, jobs = run.rows("SELECT id FROM uploads"), run.rows("SELECT id FROM jobs")
        return {str(row[0]) for row in uploads}, {str(row[0]) for row in jobs}

    # Events

    def events(self, job: str, after: int) -> list[Event]:
        """Return the events of a job after a number, in order."""
        with self.reading() as run:
            sql = "SELECT number, job, kind, data FROM events WHERE job = ? AND number > ? ORDER BY number"
            rows = run.rows(sql, job, after)
        return [Event(int(number), str(job), str(kind), json.loads(data)) for number, job, kind, data in rows]

    def new_events(self, after: int, limit: int = 1000) -> list[Event]:
        """Return the events of all jobs after a number, in order."""
        with self.reading() as run:
            sql = "SELECT number, job, kind, data FROM events WHERE number > ? ORDER BY number LIMIT ?"
            rows = run.rows(sql, after, limit)
        return [Event(int(number), str(job), str(kind), json.loads(data)) for number, job, kind, data in rows]

    def last_event(self) -> int:
        """Return the number of the last event; 0 without any."""
        with self.reading() as run:
            return int(run.rows("SELECT COALESCE(MAX(number), 0) FROM events")[0][0])

    def queue_age(self) -> float:
        """Return how many seconds the oldest waiting job has waited; 0 without any."""
        with self.reading() as run:
            oldest = run.rows("SELECT MIN(created) FROM jobs WHERE state = 'waiting'")[0][0]
        return 0.0 if oldest is None else max(0.0, self.now() - float(oldest))


def _event(run: Transaction, job: str, kind: str, data: Mapping[str, Any] | None = None) -> None:
    run.rows("INSERT INTO events (job, kind, data) VALUES (?, ?, ?)", job, kind, json.dumps(data or {}))


def _upload(row: Row) -> Upload:
    upload, owner, name, length, offset, created, expires = row
    return Upload(id=upload, owner=owner, name=name, length=length, offset=offset, created=created, expires=expires)


def _job(row: Row) -> Job:
    values = dict(zip(_JOB.split(", "), row, strict=True))
    values["task"] = json.loads(values["task"])
    values["state"] = JobState(values["state"])
    values["cancelling"] = bool(values["cancelling"])
    values["outcome"] = None if values["outcome"] is None else json.loads(values["outcome"])
    return Job(**values)
