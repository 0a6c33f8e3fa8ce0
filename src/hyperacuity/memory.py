"""How much memory this process may still take."""

from __future__ import annotations

import sys
from pathlib import Path

# Version 2 of the control groups says "max" for no limit, version 1 a number near 2^63.
_NO_LIMIT = 1 << 62


def available() -> int:
    """Bytes that can be allocated now without swapping, under the machine's, the container's and `ulimit`'s limits."""
    limits = [_machine()]
    limits += _control_groups()
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            import psutil

            limits.append(soft - psutil.Process().memory_info().vms)
    return max(0, min(limits))


def _machine(told: Path = Path("/proc/meminfo")) -> int:
    """What the machine has left; where Linux says so itself, without the 20 milliseconds of importing psutil."""
    for line in _text(told).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    import psutil

    return int(psutil.virtual_memory().available)


def _control_groups(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What Linux's control groups, version 2 or 1, leave to this process: its own group and all that hold it.

    root: where the groups are mounted; in a container that is the container's own group. membership: lines such as
    "0::/system.slice/job_7" (version 2) or "4:memory:/docker/1f2e" (version 1).
    """
    folders = [root, root / "memory"]
    for line in _text(membership).splitlines():
        _, controllers, group = line.split(":", 2)
        if ".." not in group and (controllers == "" or "memory" in controllers.split(",")):
            mount = root if controllers == "" else root / "memory"
            own = mount / group.lstrip("/")
            folders += [folder for folder in (own, *own.parents) if mount in folder.parents]
    left = []
    for folder in folders:
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            most = _text(folder / limit).strip()
            if not most.isdigit() or int(most) >= _NO_LIMIT:
                continue  # with nothing further to read: each file costs a picture some 50 microseconds
            now = _text(folder / used).strip()
            if now.isdigit():
                left.append(int(most) - int(now) + _page_cache(folder))
    return left


def _page_cache(folder: Path) -> int:
    """Cached file pages count as used, yet the kernel gives them back on demand."""
    lines = _text(folder / "memory.stat").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file ")))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
