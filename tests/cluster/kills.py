"""One round of the kill table: a run is killed at a random time, and the next one ends the plan."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from hyperacuity.cluster import planning
from hyperacuity.cluster.manifest import MANIFEST, Plan
from hyperacuity.cluster.spool import sweep_spool
from hyperacuity.stores import open_store
from tests.cluster.images import written
from tests.cluster.plans import files_below, lossless, on_one_machine, planned, template
from tests.video.videos import make, moving_frames

# A CSV file to which results are appended; how many times each victim is killed, and the first of the seeds.
RESULTS = os.environ.get("HYPERACUITY_CLUSTER_RESULTS", "")
ROUNDS = int(os.environ.get("HYPERACUITY_CLUSTER_ROUNDS", "20"))
FIRST_SEED = int(os.environ.get("HYPERACUITY_CLUSTER_SEED", "0"))
SEEDS = range(FIRST_SEED, FIRST_SEED + ROUNDS)
ROOT = Path(__file__).parents[2]
# Seconds for a run to end at most.
_PATIENCE = 1800
# Tasks that run at once in all of these tests: two workers, or two nodes of one core.
_AT_ONCE = 2
_COLUMNS = ("victim", "seed", "killed_after_s", "tasks", "done_before", "running", "redone", "resume_s")


@dataclass
class Sources:
    """What is upscaled.

    Attributes:
        folder: Images and a video in "in", and what one machine makes of them in "one".
        seconds: How long a run takes that is not killed; 0 until it is known.
        working: How long tasks run in it.
    """

    folder: Path
    seconds: float = 0.0
    working: float = 0.0

    @classmethod
    def made(cls, folder: Path, large: str) -> Sources:
        """Write small images, a video of several segments, and `large`, an image of several bands."""
        (folder / "in").mkdir()
        for n in range(4):
            written(folder / "in" / f"{n}.png", height=60 + n, width=80)
        written(folder / "in" / large, height=150, width=100)
        make(folder / "in" / "video.mkv", moving_frames(102), sounds=1)
        on_one_machine(str(folder / "in"), f"{folder / 'one'}/", template(video=lossless()))
        return cls(folder)


@dataclass
class Round:
    """A plan in an empty folder.

    Attributes:
        sources: What is upscaled.
        folder: For everything of this round.
        command: Of the runner, which the location of the plan and the spool folder follow.
        environment: Of the command.
        base: A folder or URL for plan and results.
        inputs: The folder or URL of the sources.
    """

    sources: Sources
    folder: Path
    command: list[str]
    environment: dict[str, str]
    base: str = ""
    inputs: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.base, self.inputs = self.base or str(self.folder), self.inputs or str(self.sources.folder / "in")
        self.location, self.trace = f"{self.base}/plan", self.folder / "trace"
        if self.base == str(self.folder):
            self.trace = self.folder / "plan.trace"
        self.environment = {**self.environment, "HYPERACUITY_TRACE": str(self.trace)}
        before, planning._SECONDS = planning._SECONDS, 0.0  # a task for each image
        try:
            planned(self.inputs, f"{self.base}/out", self.location, template(video=lossless()), band_from=150 * 100)
        finally:
            planning._SECONDS = before

    def begin(self) -> subprocess.Popen[bytes]:
        words = [*self.command, self.location, "--spool", str(self.folder / "spool"), "--lease", "10"]
        with (self.folder / "driver.log").open("ab") as log:
            return subprocess.Popen(words, env=self.environment, stdout=log, stderr=log, cwd=self.folder)

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.folder.rglob("*.log"))

    def events(self) -> list[str]:
        return self.trace.read_text().splitlines() if self.trace.exists() else []

    def finish(self) -> None:
        """Run the plan, after which everything is as on one machine and nothing else is left."""
        assert self.begin().wait(timeout=_PATIENCE) == 0, self.log()
        assert self._results() == files_below(self.sources.folder / "one")
        left = set(open_store(self.location).walk(self.location)) if self._remote else files_below(Path(self.location))
        assert {name for name in left if not name.endswith(".out")} == {MANIFEST}

    def check(self) -> tuple[int, int, int]:
        """Check that nothing was done again but what ran. Returns the tasks done and running then, and those redone."""
        ended: set[str] = set()
        begun: list[str] = []
        done = running = 0
        for each in self.events():
            what, number, *_ = each.split()
            if what == "killed":
                done, running = len(ended), len(set(begun) - ended)
            elif what == "begin":
                assert number not in ended, f"task {number} was done again\n{self.events()}"
                begun.append(number)
            else:
                ended.add(number)
        redone = len(begun) - len(set(begun))
        assert redone <= _AT_ONCE, self.events()
        self._check_spool()
        return done, running, redone

    def _check_spool(self) -> None:
        """Check that the next task on this machine removes what killed workers left, once they have ended."""
        end = time.monotonic() + _PATIENCE
        while left := [path for path in (self.folder / "spool").glob("*") if path.is_dir()]:
            assert time.monotonic() < end, left
            sweep_spool(self.folder / "spool")
            time.sleep(0.05)

    @property
    def _remote(self) -> bool:
        return "://" in self.base

    def _results(self) -> dict[str, bytes]:
        if not self._remote:
            return files_below(self.folder / "out")
        store, out = open_store(self.base), f"{self.base}/out"
        return {name: store.read(f"{out}/{name}") or b"" for name in sorted(store.walk(out))}


def play(
    victim: str,
    seed: int,
    begin_round: Callable[[int], Round],
    kill: Callable[[Round, subprocess.Popen[bytes], random.Random], bool],
    mend: Callable[[Round, subprocess.Popen[bytes]], None] = lambda each, driver: None,
) -> None:
    """Play a round, again if its run ended before the kill.

    Args:
        victim: Who is killed, for the record.
        seed: Of the moment: one from the start of the command if it is even, from that of the first task if it is odd.
        begin_round: Makes a round; the argument is the number of the attempt.
        kill: Kills the victim. Returns False if there is none yet.
        mend: What an administrator does after the kill, before the command is given again.
    """
    chance = random.Random(f"{victim} {seed}")
    for attempt in range(20):
        played = begin_round(attempt)
        if not played.sources.seconds:
            begun = time.monotonic()
            played.finish()
            played.sources.seconds = time.monotonic() - begun
            times = [float(each.split()[2]) for each in played.events()]
            played.sources.working = max(times) - min(times)
            continue
        driver = played.begin()
        begun = time.monotonic()
        _sleep(played, driver, chance, from_first_task=seed % 2 == 1)
        killed = False
        while driver.poll() is None and not killed:
            killed = kill(played, driver, chance)
            time.sleep(0 if killed else 0.1)
        moment = time.monotonic() - begun
        if not killed:  # it was faster than the one before
            driver.wait()
            played.sources.seconds = min(played.sources.seconds, time.monotonic() - begun)
            continue
        with played.trace.open("a") as file:
            file.write(f"killed - {time.time()}\n")
        mend(played, driver)
        driver.wait(timeout=_PATIENCE)
        begun = time.monotonic()
        played.finish()
        _record(victim, seed, round(moment, 2), played, time.monotonic() - begun)
        return
    raise AssertionError("the run always ended before the kill")


def _sleep(played: Round, driver: subprocess.Popen[bytes], chance: random.Random, *, from_first_task: bool) -> None:
    """Wait for a random time from the start of the command, or from that of its first task."""
    while from_first_task and not played.events() and driver.poll() is None:
        time.sleep(0.02)
    end = time.monotonic() + chance.uniform(0, played.sources.working if from_first_task else played.sources.seconds)
    while time.monotonic() < end and driver.poll() is None:
        time.sleep(0.02)


def _record(victim: str, seed: int, moment: float, played: Round, seconds: float) -> None:
    done, running, redone = played.check()
    if not RESULTS:
        return
    with Plan(played.location) as plan:
        tasks = len(plan)
    path = Path(RESULTS)
    known = path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not known:
            writer.writerow(_COLUMNS)
        writer.writerow([victim, seed, moment, tasks, done, running, redone, round(seconds, 1)])


def environment() -> dict[str, str]:
    """The environment of commands whose tasks are noted."""
    folders = [str(ROOT / "src"), str(ROOT / "tests" / "cluster" / "tracing")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}


def command(*words: str) -> list[str]:
    """The command that runs a plan."""
    return [sys.executable, "-m", "hyperacuity", "cluster", "run", *words]


def kill_one(processes: list[psutil.Process], chance: random.Random) -> bool:
    """Kill one of some processes. Returns False if there are none."""
    if not processes:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        chance.choice(processes).kill()
        return True
    return False


def running_command(words: str, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those of some processes in whose command line these words are."""
    found = []
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if each.pid != os.getpid() and words in " ".join(each.cmdline()):
                found.append(each)
    return found
