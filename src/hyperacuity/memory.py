"""How much memory this process may still take."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil


def available() -> int:
    """Bytes that can be allocated now without swapping, under the machine's, the container's and `ulimit`'s limits."""
    limits = [int(psutil.virtual_memory().available)]
    limits += _control_groups()
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            limits.append(soft - psutil.Process().memory_info().vms)
    return max(0, min(limits))


def _control_groups(root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What is left to this container by Linux's control groups, version 2 or 1; nothing where there is no limit."""
    left = []
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            most, now = (root / limit).read_text().strip(), (root / used).read_text().strip()
        except OSError:
            continue
        if most.isdigit() and now.isdigit():
            # Version 1 says "no limit" with a number near 2^63; then the machine's own memory is the limit.
            left.append(int(most) - int(now) + _page_cache(root))
    return left


def _page_cache(root: Path) -> int:
    """Cached file pages count as used, yet the kernel gives them back on demand."""
    for name in ("memory.stat", "memory/memory.stat"):
        try:
            lines = (root / name).read_text().splitlines()
        except OSError:
            continue
        return sum(int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file ")))
    return 0
