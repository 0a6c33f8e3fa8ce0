"""Whether a machine can work on a plan, and agrees with the others."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import machine
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.models import check_models, package_versions
from hyperacuity.cluster.spool import default_spool
from hyperacuity.errors import HyperacuityError, UsageError, Use
from hyperacuity.stores import join, open_store, parent_of
from hyperacuity.task import Record

OK, WARNING, ERROR = "ok", "warning", "error"

# Instructions by which engines choose their kernels, and so the last bits of results.
_FEATURES = {
    *("sse4_1", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"),
}
# Free bytes of the spool disk below which it is warned, and the port of Ray's dashboard, whose job API runs commands.
_LEAST_FREE, _RAY_PORT = 5 << 30, 8265


@dataclass(frozen=True)
class Finding(Record):
    """One thing that was checked.

    Attributes:
        level: OK, WARNING or ERROR.
        text: What was found.
    """

    level: str
    text: str


def cpu_features() -> str:
    """Returns the architecture and the instructions of this processor that may decide the last bits of results."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {machine.processor()}"
    flags: set[str] = set()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            flags = {*value.split()} & _FEATURES
            break
    return " ".join([platform.machine(), *sorted(flags)])


def require_same_cpu(plan: Plan) -> None:
    """Raise `UsageError` if this processor's features differ from those of the first that worked on a plan."""
    location, own = plan.state("cpu"), cpu_features()
    # `create` wants content that differs from that of every other caller.
    if plan.store.create(location, json.dumps({"cpu": own, "by": secrets.token_hex(4)}).encode()):
        return
    first = json.loads(plan.store.read(location) or b"{}").get("cpu", own)
    if first != own:
        raise UsageError(f"this processor ({own}) differs from the one of the plan ({first})", Use(same_cpu=False))


def check_node(plan: Plan, spool: Path | None = None) -> list[Finding]:
    """Check this machine, and compare it with all others on which this was called.

    Args:
        plan: The plan.
        spool: The folder for files that are being worked on; None for the default.

    Returns:
        What was found. That the version of Hyperacuity is the plan's was checked when the plan was opened.
    """
    findings = [
        Finding(OK, f"Hyperacuity {plan.header.version}"),
        _check_packages(plan),
        _check_models(plan),
        _check_disk(spool or default_spool()),
        *_check_stores(plan),
        *_check_others(plan),
    ]
    if (open_head := _check_ray()) is not None:
        findings.append(open_head)
    return findings


def _check_packages(plan: Plan) -> Finding:
    own = package_versions()
    differing = [
        f"{name} {own.get(name, 'missing')} instead of {version}"
        for name, version in plan.header.packages.items()
        if own.get(name) != version
    ]
    if differing:
        return Finding(WARNING, f"results may differ from those of the planning machine: {', '.join(differing)}")
    return Finding(OK, "the packages are those of the planning machine")


def _check_models(plan: Plan) -> Finding:
    try:
        check_models(plan)
    except HyperacuityError as error:
        return Finding(ERROR, error.message)
    return Finding(OK, f"{len(plan.header.models)} model files have the hashes of the plan")


def _check_disk(spool: Path) -> Finding:
    folder = next(path for path in (spool, *spool.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    level = OK if free >= _LEAST_FREE else WARNING
    return Finding(level, f"{free / 2**30:.1f} GiB are free for files that are being worked on, in {spool}")


def _check_stores(plan: Plan) -> list[Finding]:
    """Read the first source, and write where results and the plan's state go."""
    findings = []
    folders = [plan.state()]
    if len(plan):
        file = plan.task(0).files[0]
        folders.append(parent_of(file.target))
        found = open_store(file.source).find(file.source) is not None
        findings.append(Finding(OK if found else ERROR, f"{file.source} is {'' if found else 'not '}there"))
    for folder in folders:
        location = join(folder, f"check-{secrets.token_hex(4)}")
        store = open_store(folder)
        try:
            written = store.create(location, b"check") and store.read(location) == b"check"
            store.remove(location)
        except HyperacuityError as error:
            findings.append(Finding(ERROR, error.message))
            continue
        findings.append(Finding(OK if written else ERROR, f"{folder} can {'' if written else 'not '}be written"))
    return findings


def _check_others(plan: Plan) -> list[Finding]:
    """Leave what decides bits in the store, and compare it with what other machines left."""
    own = {"cpu": cpu_features(), "packages": package_versions()}
    store, name = plan.store, platform.node() or "unnamed"
    findings = []
    for other in sorted(store.list(plan.state("nodes"))):
        theirs = json.loads(store.read(plan.state("nodes", other)) or b"{}")
        if other != name and theirs.get("cpu") != own["cpu"]:
            text = f"{other} has another processor; results of the two may differ by 1e-4: {theirs.get('cpu')}"
            findings.append(Finding(WARNING, text))
        if other != name and theirs.get("packages") != own["packages"]:
            findings.append(Finding(WARNING, f"{other} has other versions of packages"))
    try:
        store.write(plan.state("nodes", name), json.dumps(own).encode())
    except HyperacuityError as error:
        findings.append(Finding(ERROR, error.message))
    return findings or [Finding(OK, f"{own['cpu']}; no other machine differs")]


def _check_ray() -> Finding | None:
    """A warning if a Ray head answers without asking for a token: anyone who reaches it controls all machines."""
    if os.environ.get("RAY_AUTH_MODE") == "token":
        return None
    address = os.environ.get("RAY_ADDRESS", "").rpartition("//")[2].partition(":")[0] or "127.0.0.1"
    try:
        socket.create_connection((address, _RAY_PORT), timeout=1).close()
    except OSError:
        return None
    text = (
        f"a Ray head on {address} takes commands from everyone who reaches it; set RAY_AUTH_MODE=token on all machines"
    )
    return Finding(WARNING, text)
