"""A batch script for Slurm that trains on several nodes with torchrun, and resumes when Slurm queues it again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hyperacuity.cluster import sbatch

# Ports for the processes to find each other, by the number of the job.
_FIRST_PORT, _PORTS = 20000, 10000
# Seconds before the end of the job's time at which the training stops, to be queued again.
_REMAINING = 120


@dataclass(frozen=True)
class TrainingJob:
    """What to train where.

    Attributes:
        arguments: Of `hyperacuity train`, without `--slurm`.
        name: Of the job.
        folder: The run's, which all nodes see.
        nodes: How many nodes.
        processes: How many processes on each node: one for each GPU.
        gpus: Whether each of them needs a GPU.
        options: More options of sbatch.
    """

    arguments: Sequence[str]
    name: str
    folder: str
    nodes: int
    processes: int = 1
    gpus: bool = True
    options: Sequence[str] = ()

    def script(self) -> str:
        """Returns the script.

        Slurm queues the job again if a node is lost, if it is preempted, and at the end of its time: it stops two
        minutes before with a checkpoint, and the next start resumes.
        """
        directives = [
            f"--nodes={self.nodes}",
            "--ntasks-per-node=1",
            *([f"--gpus-per-node={self.processes}"] if self.gpus else []),
            "--requeue",
            "--open-mode=append",
            f"--output={self.folder}/slurm-%j.out",
            f"--signal=B:USR1@{_REMAINING}",
            *self.options,
        ]
        python = shlex.quote(sys.executable)
        commands = [
            "# The first node's address: all processes meet there.",
            'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            "address=$(scontrol show node \"$first\" | sed -n 's/.*NodeAddr=\\([^ ]*\\).*/\\1/p' | head -n 1)",
            f"port=$(({_FIRST_PORT} + SLURM_JOB_ID % {_PORTS}))",
            "resume=",
            '[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && resume=--resume',
            f"srun {python} -m torch.distributed.run --nnodes={self.nodes} --nproc-per-node={self.processes} \\",
            '    --rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}" \\',
            '    --rdzv-endpoint="$address:$port" \\',
            f"    -m hyperacuity train {shlex.join(self.arguments)} $resume &",
            "training=$!",
            "# The job's time is nearly over: stop with a checkpoint, and queue it again.",
            "again=",
            "trap 'again=yes; kill -TERM \"$training\"' USR1",
            "# Slurm ends the job, such as for another one: stop with a checkpoint.",
            "trap 'kill -TERM \"$training\"' TERM",
            'wait "$training"; code=$?',
            'while kill -0 "$training" 2> /dev/null; do wait "$training"; code=$?; done  # a trap ends `wait`',
            '[ -n "$again" ] && exec scontrol requeue "$SLURM_JOB_ID"',
            'exit "$code"',
        ]
        return sbatch.make_script(commands, self.name, *directives)
