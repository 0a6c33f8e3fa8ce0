"""Starts worker processes, gives them jobs, watches them, and ends them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hyperacuity.server.folders import Folders
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.records import Claim, JobState
from hyperacuity.server.store import Store
from hyperacuity.server.store.store import ATTEMPTS
from hyperacuity.task import Message, Outcome

_LOG = logging.getLogger(__name__)
# Seconds: between looks at the store for new jobs, between heartbeats, and until a worker that was asked to end is
# killed.
_POLL, _BEAT, _PATIENCE = 0.5, 1.0, 2.0
# Variables that a worker gets; everything else, such as PGPASSWORD, it does not need.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "VIRTUAL_ENV", "PYTHONPATH")
_PREFIXES = ("OMP_", "CUDA_", "XDG_")


class Workers:
    """The worker processes of a server, one thread each.

    Args:
        options: The server's.
        store: Where jobs come from.
        folders: Where their files are.

    Attributes:
        restarts: How many workers ended, by reason.
    """

    def __init__(self, options: ServerOptions, store: Store, folders: Folders) -> None:
        self.options, self.store, self.folders = options, store, folders
        self.restarts: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._slots = [_Slot(self, n) for n in range(options.workers)]

    def start(self) -> None:
        """Start the threads; processes start with their first job."""
        for slot in self._slots:
            slot.thread.start()

    def notify(self) -> None:
        """Let idle workers look for jobs at once."""
        with self._wake:
            self._wake.notify_all()

    def stop(self) -> None:
        """End all workers; their jobs wait again, and videos resume at their last segment."""
        self._stopping.set()
        self.notify()
        for slot in self._slots:
            slot.thread.join(4 * _PATIENCE)

    @property
    def stopping(self) -> bool:
        """Whether the workers are asked to end."""
        return self._stopping.is_set()

    def wait(self) -> None:
        """Wait for a new job, or a short time."""
        with self._wake:
            if not self.stopping:
                self._wake.wait(_POLL)

    def pids(self) -> list[int]:
        """Return the numbers of the processes that run now."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    def alive(self) -> bool:
        """Return whether every thread runs."""
        return all(slot.thread.is_alive() for slot in self._slots)


class _Slot:
    """One worker: a thread that claims jobs, and its process."""

    def __init__(self, workers: Workers, number: int) -> None:
        self.workers, self.options = workers, workers.options
        self.process: subprocess.Popen[str] | None = None
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._jobs, self._used = 0, time.monotonic()
        self.thread = threading.Thread(target=self._serve, name=f"worker-{number}", daemon=True)

    def _serve(self) -> None:
        while not self.workers.stopping:
            try:
                claim = self.workers.store.claim(self.options.lease_seconds)
                if claim is None:
                    if self.process is not None and time.monotonic() - self._used > self.options.worker_idle_seconds:
                        self._end("idle")
                    self.workers.wait()
                    continue
                self._work(claim)
            except Exception:  # the database may be away for a while; the thread must survive that
                _LOG.exception("a worker failed outside of its job")
                self._end("error")
                time.sleep(_BEAT)
            self._used = time.monotonic()
        self._end("stop")

    def _work(self, claim: Claim) -> None:
        """Run one job to its end, whatever that is."""
        folder = self.workers.folders.job(claim.job.id)
        folder.mkdir(parents=True, exist_ok=True)
        self.workers.folders.clear_partial(claim.job.id)
        source = self.workers.folders.source(claim.job.upload)
        task = dict(claim.job.task)
        ending = task.pop("ending", "")
        limits = self.options.of_sources()
        process = self._started()
        run = {"run": {**task, "source": str(source), "target": ""}, "folder": str(folder), "limits": limits}
        self._send(run | {"ending": ending, "name": claim.job.name})
        progress, begun, beat, asked = 0.0, time.monotonic(), 0.0, 0.0
        while True:
            with contextlib.suppress(queue.Empty):
                message = self._messages.get(timeout=_BEAT / 2)
                if message is None:
                    return self._lost(claim, f"it ended with {process.wait()}")
                progress = message.get("progress", progress)
                if "outcome" in message:
                    return self._finished(claim, message["outcome"])
                if message.get("stopped"):
                    return self._stopped(claim)
            now = time.monotonic()
            if now - begun > self.options.job_seconds:
                self._kill("time")
                text = f"it took longer than the {self.options.job_seconds:.0f} seconds that this server allows"
                outcome = Outcome("", "", error=Message(text)).to_json()
                self.workers.store.finish(claim, JobState.FAILED, outcome, self._expiry())
                return None
            if now - beat >= _BEAT:
                beat = now
                cancelling = self.workers.store.heartbeat(claim, self.options.lease_seconds, progress)
                if cancelling is None:
                    return self._kill("lease lost")
                if (cancelling or self.workers.stopping) and not asked:
                    asked = now
                    self._send({"stop": True})
            if asked and now - asked > _PATIENCE:
                self._kill("cancel")
                return self._stopped(claim)

    def _started(self) -> subprocess.Popen[str]:
        """The process, started if there is none."""
        if self.process is not None and self.process.poll() is None and self._jobs < self.options.worker_jobs:
            self._jobs += 1
            return self.process
        self._end("replaced")
        environment = {
            name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name.startswith(_PREFIXES)
        }
        environment |= {
            "HYPERACUITY_MAX_PIXELS": str(self.options.max_input_pixels),
            "HYPERACUITY_SERVER": str(os.getpid()),
            "HYPERACUITY_WORKER_MEMORY": str(self.options.worker_memory_bytes),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hyperacuity.server.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        self._messages, self._jobs = queue.Queue(), 1
        threading.Thread(target=_read, args=(self.process, self._messages), daemon=True).start()
        return self.process

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # the process is gone: its reader says so
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def _finished(self, claim: Claim, outcome: Mapping[str, Any]) -> None:
        state = JobState.FAILED if outcome.get("error") else JobState.DONE
        size = self.workers.folders.size(claim.job.id)
        self.workers.store.finish(claim, state, outcome, self._expiry(), size)

    def _stopped(self, claim: Claim) -> None:
        """The job ended because it was cancelled, or because the server ends."""
        if self.workers.store.heartbeat(claim, self.options.lease_seconds, 0.0):
            self.workers.store.finish(claim, JobState.CANCELLED, None, self._expiry())
            self.workers.folders.remove_job(claim.job.id)
        else:
            self.workers.store.give_back(claim, blamed=False)

    def _lost(self, claim: Claim, how: str) -> None:
        """The process died during the job."""
        _LOG.warning("the worker of job %s was lost: %s", claim.job.id, how)
        self._forget("lost")
        self.workers.folders.clear_partial(claim.job.id)
        if claim.job.attempts < ATTEMPTS:
            self.workers.store.give_back(claim, blamed=True)
            return
        message = Message(f"this job ended its worker {claim.job.attempts} times ({how}), so it is not tried again")
        outcome = Outcome("", "", error=message).to_json()
        self.workers.store.finish(claim, JobState.FAILED, outcome, self._expiry())

    def _expiry(self) -> float:
        return time.time() + 86400 * self.options.result_days

    def _end(self, reason: str) -> None:
        """Let the process end by itself, which it does when its standard input ends, or kill it."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._kill(reason)
        else:
            self._forget(reason)

    def _kill(self, reason: str) -> None:
        """End the process and everything that it started."""
        if self.process is None:
            return
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                self.process.kill()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._forget(reason)

    def _forget(self, reason: str) -> None:
        """Count a process that has ended; the next job starts another."""
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.workers.restarts[reason] += 1
        self.process = None


def _read(process: subprocess.Popen[str], messages: queue.Queue[dict[str, Any] | None]) -> None:
    """Pass a process's messages on; None when it has ended."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            messages.put(json.loads(line))
    messages.put(None)
