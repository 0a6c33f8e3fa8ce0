"""A Slurm cluster of two nodes on this machine: munged, slurmctld and two slurmd, in a folder of their own."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
# Seconds to wait for the programs at most; they take five on an idle machine.
PATIENCE = 120.0


def missing() -> str | None:
    """Why there can be no Slurm here; None if there can."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    if lacking:
        return f"Slurm is not installed: {', '.join(lacking)} missing (apt: slurmctld slurmd slurm-client munge)"
    if os.name != "posix" or os.geteuid() != 0:
        return "slurmd starts jobs, which needs root"
    return None


@dataclass
class Slurm:
    """A running cluster.

    Attributes:
        folder: Its files.
        environment: For the programs that talk to it.
    """

    folder: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def call(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def kill(self, name: str) -> None:
        """SIGKILL a daemon, and the jobs of a node."""
        process = self.processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def start(self, name: str) -> None:
        program = "slurmctld" if name == "slurmctld" else "slurmd"
        more = ["-D", "-f", str(self.folder / "slurm.conf"), *(["-N", name] if program == "slurmd" else [])]
        found = shutil.which(program, path=_PATH)
        assert found is not None
        with (self.folder / f"{name}.out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [found, *more], stdout=out, stderr=out, env=self.environment, start_new_session=True
            )

    def resume(self) -> None:
        """Let nodes that Slurm has drained take jobs again, as an administrator does."""
        self.call("scontrol", "update", "NodeName=n1,n2", "State=RESUME")

    def wait_until_idle(self) -> None:
        """Wait until both nodes take jobs; those that Slurm drained because they were late are resumed."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.CalledProcessError):
                states = self.call("sinfo", "--noheader", "--Node", "--format=%N %t").split("\n")
                if {"n1 idle", "n2 idle"} <= {line.strip() for line in states}:
                    return
                if any("drain" in line for line in states):
                    self.resume()
            time.sleep(0.2)
        raise TimeoutError(self.log())

    def log(self) -> str:
        """The ends of the logs, for a failure's message."""
        parts = []
        for path in sorted(self.folder.glob("*.out")):
            parts.append(f"{path.name}:\n{path.read_text(errors='replace')[-1500:]}")
        return "\n".join(parts)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running(
    folder: Path, environment: dict[str, str], node_timeout: int = 600, message_timeout: int = 60
) -> Iterator[Slurm]:
    """Run a cluster.

    Args:
        folder: For its files.
        environment: Of its jobs.
        node_timeout: Seconds after which a node that does not answer is lost.
        message_timeout: Seconds for which its programs wait for each other.
    """
    host, user = socket.gethostname().partition(".")[0], getpass.getuser()
    controller, first, second = _free_ports(3)
    for name in ("state", "n1", "n2"):
        (folder / name).mkdir()
    key, munge = folder / "munge.key", folder / "munge.socket"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    (folder / "slurm.conf").write_text(
        f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={munge},cred_expire=30
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.out
SlurmdLogFile={folder}/%n.out
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
SlurmdTimeout={node_timeout}
SlurmctldTimeout=600
MessageTimeout={message_timeout}
KillWait=10
MinJobAge=60
MaxArraySize=6
MaxJobCount=1000
SchedulerParameters=sched_min_interval=10000,batch_sched_delay=0,sched_interval=1,requeue_delay=1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=1 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""
    )
    slurm = Slurm(folder, {**environment, "PATH": _PATH, "SLURM_CONF": str(folder / "slurm.conf")})
    munged = shutil.which("munged", path=_PATH)
    assert munged is not None
    with (folder / "munged.out").open("wb") as out:
        slurm.processes["munged"] = subprocess.Popen(
            [
                munged,
                "--foreground",
                "--force",
                f"--key-file={key}",
                f"--socket={munge}",
                f"--pid-file={folder}/munged.pid",
                f"--log-file={folder}/munged.log",
                f"--seed-file={folder}/munged.seed",
                "--num-threads=2",
            ],
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + PATIENCE
        while not munge.exists():
            if time.monotonic() > end or slurm.processes["munged"].poll() is not None:
                raise TimeoutError(slurm.log())
            time.sleep(0.05)
        for name in ("slurmctld", "n1", "n2"):
            slurm.start(name)
        slurm.wait_until_idle()
        yield slurm
    finally:
        for name in reversed(list(slurm.processes)):
            slurm.kill(name)
