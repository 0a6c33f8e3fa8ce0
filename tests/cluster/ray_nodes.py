"""A Ray cluster on this machine, in a process of its own: a head without cores and two nodes of one core.

The test's process never imports Ray, which leaves sockets and threads behind. Commands come as lines of standard input,
each answered by one line; its end is the end of the cluster.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]


@dataclass
class Nodes:
    """The cluster, as the test sees it.

    Attributes:
        address: Of its head.
        environment: For programs that use it.
    """

    process: subprocess.Popen[str]
    address: str
    environment: dict[str, str]

    def ask(self, command: str) -> str:
        return _ask(self.process, command)

    def cluster(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run `hyperacuity cluster run`, with this cluster."""
        command = self.command(*words)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, **more)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "hyperacuity", "cluster", "run", *words, "--on", "ray", "--address", self.address]


@contextlib.contextmanager
def running(environment: dict[str, str] | None = None) -> Iterator[Nodes]:
    """Start the cluster, and end it.

    Args:
        environment: Of all nodes, with PYTHONPATH; that of this process if None.
    """
    environment = environment or {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment = {
        **environment,
        "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], str(ROOT)]),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_metrics_collection": "0",  # three nodes on two cores would spend a tenth of them on it
        "RAY_gcs_rpc_server_reconnect_timeout_s": "5",  # a head that is lost is known after 5 s instead of a minute
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.ray_nodes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=ROOT,
    ) as process:
        try:
            yield Nodes(process, _ask(process, "address"), environment)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def _ask(process: subprocess.Popen[str], command: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(command + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, "the Ray cluster has ended"
    return answer.strip()


def _serve(commands: IO[str], answers: IO[str]) -> None:
    more: dict[str, Any] = {"object_store_memory": 80 << 20, "include_dashboard": False, "include_log_monitor": False}
    cluster, nodes = _start(more)
    try:
        for line in commands:
            if line.strip() == "kill":  # a node, with everything that runs on it
                cluster.remove_node(nodes.pop(), allow_graceful=False)
            elif line.strip() == "add":
                nodes.append(_add_node(cluster, len(nodes), more))
            elif line.strip() == "wait":  # until the head knows which nodes there are
                cluster.wait_for_nodes(timeout=300)
            print(cluster.address, file=answers, flush=True)
    finally:
        cluster.shutdown()


def _start(more: dict[str, Any], attempts: int = 5) -> tuple[Any, list[Any]]:
    """A head without cores and two nodes; Ray gives each 30 seconds, which a busy machine may need several times."""
    from ray.cluster_utils import Cluster

    while True:
        cluster: Any = Cluster()
        try:
            cluster.add_node(num_cpus=0, **more)
            nodes = [_add_node(cluster, n, more) for n in range(2)]
            cluster.wait_for_nodes(timeout=300)
            return cluster, nodes
        except Exception:
            cluster.shutdown()
            attempts -= 1
            if not attempts:
                raise


def _add_node(cluster: Any, number: int, more: dict[str, Any]) -> Any:
    """A node on one core, where the system can do that: its processes inherit the core of the one that starts them."""
    if not hasattr(os, "sched_setaffinity"):
        return cluster.add_node(num_cpus=1, **more)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})
    try:
        return cluster.add_node(num_cpus=1, **more)
    finally:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    _serve(sys.stdin, own)
