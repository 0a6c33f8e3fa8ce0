"""The memory and the cores that this process may use, the processor's name, and the user's cache folder."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import os
import platform
import sys
from pathlib import Path

# Version 2 of the control groups says "max" for no limit, version 1 a number near 2^63.
_NO_LIMIT = 1 << 62


def cache_folder() -> Path:
    """Returns the folder for what can be made or downloaded again; it need not exist.

    The environment variable HYPERACUITY_CACHE names it; otherwise it is where the system keeps such files.
    """
    if own := os.environ.get("HYPERACUITY_CACHE"):
        return Path(own)
    home = Path.home()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = home / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return cache / "hyperacuity"


def available_memory() -> int:
    """Return the bytes that can be allocated now without swapping.

    The least of what the machine, the control groups around the process (containers, batch systems) and `ulimit` allow.
    """
    limits = [_machine()]
    limits += _control_groups()
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            import psutil

            limits.append(soft - psutil.Process().memory_info().vms)
    return max(0, min(limits))


def _machine(meminfo: Path = Path("/proc/meminfo")) -> int:
    """The machine's free memory; on Linux read directly, since importing psutil takes 20 milliseconds."""
    for line in _text(meminfo).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    import psutil

    return int(psutil.virtual_memory().available)


def _control_groups(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """The free bytes in each of Linux's control groups, version 2 or 1: the process's group and its parents.

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
                continue  # stop here: each file takes some 50 microseconds, for every image
            now = _text(folder / used).strip()
            if now.isdigit():
                left.append(int(most) - int(now) + _page_cache(folder))
    return left


def _page_cache(folder: Path) -> int:
    """Bytes of cached file pages, which count as used although the kernel frees them on demand."""
    lines = _text(folder / "memory.stat").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file ")))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def processor() -> str:
    """Return the processor's name, or its architecture where the system does not name it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return name or platform.processor() or platform.machine()


def cores() -> int:
    """Return how many cores this process may use, at least 1: by its affinity and its container's share of time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, quota())))


@functools.cache
def quota(root: Path = Path("/")) -> float:
    """Return the number of cores whose time Linux's control groups (version 2) allow; inf if there is no limit.

    In a container that may use 2 of 64 cores it returns 2. With more threads than that, the kernel pauses all of them
    for most of each period.

    Args:
        root: Where the system's files are; another folder in tests.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        own = next(line.removeprefix("0::") for line in groups if line.startswith("0::"))
    except (OSError, StopIteration):
        return math.inf
    top, least = root / "sys/fs/cgroup", math.inf
    group = top / own.strip("/")
    for place in (group, *group.parents):
        try:
            time, period = (place / "cpu.max").read_text().split()
            least = min(least, math.inf if time == "max" else int(time) / int(period))
        except (OSError, ValueError):  # the root group has no limit
            pass
        if place == top:
            break
    return least


def return_freed_memory() -> None:
    """Return freed memory to the system, which malloc otherwise keeps in pieces; does nothing without glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
