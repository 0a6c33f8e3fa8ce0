"""Tasks of Ray on a running cluster. Only the location of the plan and numbers go to the nodes; pixels never do.

Tasks and not actors: Ray gives a task whose node is lost to another one, and an actor's calls may get lost.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import FAILED, LOST, Report, RunSettings
from hyperacuity.errors import HyperacuityError, HyperacuityWarning, MissingDependency, Unreachable
from hyperacuity.task import Message, Outcome, Stop

# How often Ray gives a task to another worker when a worker or a node is lost.
_RETRIES = 3
# Seconds after which a request to stop is noticed.
_POLL = 0.2
# Seconds for a connection to the head.
_PATIENCE = 30.0
# Tasks that wait in Ray beyond those that run, so that a worker has its next one at once.
_WAITING = 2


class OpenClusterWarning(HyperacuityWarning):
    """Everyone who reaches the head of a Ray cluster can run commands on it."""


def run(plan: Plan, numbers: Sequence[int], settings: RunSettings, stop: Stop) -> Iterator[Report]:
    """See `Runner.run`. `settings.more["address"]` is that of the cluster, "auto" for the one of this machine."""
    ray = _connect(settings.more.get("address", "auto"))
    try:
        cores, gpus = int(ray.cluster_resources().get("CPU", 1)), int(ray.cluster_resources().get("GPU", 0))
        on_gpu = _uses_gpu(plan, gpus)
        task = ray.remote(num_cpus=0 if on_gpu else 1, num_gpus=1 if on_gpu else 0, max_retries=_RETRIES, max_calls=0)(
            _work
        )
        most = settings.workers or (gpus if on_gpu else cores) + _WAITING
        waiting, running = list(reversed(numbers)), dict[Any, int]()
        while running or (waiting and not stop.is_set()):
            while waiting and len(running) < most and not stop.is_set():
                number = waiting.pop()
                running[task.remote(plan.location, settings.to_json(), number)] = number
            ready, _ = ray.wait(list(running), timeout=_POLL)
            for each in ready:
                yield _report(ray, each, running.pop(each))
    finally:
        ray.shutdown()


def _connect(address: str) -> Any:
    """Ray, connected to a cluster.

    Raises:
        MissingDependency: Ray is not installed.
        Unreachable: The cluster does not answer.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependency("pip install 'hyperacuity[cluster]'") from error
    if os.environ.get("RAY_AUTH_MODE") != "token":
        warnings.warn(
            OpenClusterWarning(
                "everyone who reaches the head of this Ray cluster can run commands on it; set RAY_AUTH_MODE=token on "
                "all nodes, or keep others from its network"
            ),
            stacklevel=3,
        )
    _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Unreachable(f"the Ray cluster at {address} does not answer: {reason}") from error
    return ray


def _check_answers(address: str) -> None:
    """Raise `Unreachable` if nothing listens at an address; Ray would end the whole process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
        except OSError as error:
            raise Unreachable(f"the Ray cluster at {address} does not answer: {error.strerror or error}") from error


def _uses_gpu(plan: Plan, gpus: int) -> bool:
    """Whether tasks need a GPU each: where the plan names one, or leaves the choice and the cluster has some."""
    devices = {template.options.device for template in plan.header.templates}
    return any(device.startswith("cuda") for device in devices) or (gpus > 0 and "auto" in devices)


def _report(ray: Any, reference: Any, number: int) -> Report:
    """The report of a task that has ended."""
    try:
        return Report.from_json(ray.get(reference))
    except ray.exceptions.RayTaskError as error:  # an internal error; ours are in the report
        return Report(number, LOST, reason=str(error).strip().splitlines()[-1])
    except ray.exceptions.RayError as error:
        if isinstance(error, ray.exceptions.RaySystemError):
            raise Unreachable(f"the head of the Ray cluster is lost: {error}") from error
        return Report(number, LOST, reason=type(error).__name__)


# The plan and the worker of this process, which serves one plan after another.
_worker: dict[str, Any] = {}


def _work(location: str, settings: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Do a task on a node. Returns its report as plain data."""
    from hyperacuity.cluster.work import Worker

    try:
        key = f"{location} {settings}"
        if _worker.get("key") != key:
            plan = Plan(location)
            _worker.update(key=key, worker=Worker(plan, RunSettings.from_json(settings)), plan=plan)
        # Ray gives a task away again only if its worker is lost.
        report: Report = _worker["worker"].work_on(number, take=True)
    except Unreachable as error:
        report = Report(number, LOST, reason=error.message, unreachable=True)
    except HyperacuityError as error:  # of this node, or of the store: no task is to blame
        message = Message.from_exception(error)
        report = Report(number, FAILED, (Outcome("", "", error=message),))
    return report.to_json()
