from __future__ import annotations

import functools
import math
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hyperacuity import machine

GIB = 1 << 30
NOWHERE = Path("/nowhere")


def group(folder: Path, version: int, limit: str, used: int, cached: int | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    if cached is not None:
        lines = f"anon 5\ninactive_file {cached}\nactive_file 100\ntotal_inactive_file 999\n"
        (folder / "memory.stat").write_text(lines)


def bytes_left(root: Path, membership: str = "") -> list[int]:
    (root / "membership").write_text(membership)
    return machine._control_groups(root, root / "membership")


def test_available_memory_is_positive_and_within_the_machines() -> None:
    assert 0 < machine.available_memory() <= psutil.virtual_memory().total


def test_free_memory_is_what_psutil_reports(tmp_path: Path) -> None:
    ours, theirs = machine._machine(), machine._machine(NOWHERE)
    assert ours == pytest.approx(theirs, abs=GIB // 2)  # other programs allocate and free some in between
    (tmp_path / "meminfo").write_text("MemTotal: 8 kB\nMemFree: 1 kB\nMemAvailable:       3 kB\n")
    assert machine._machine(tmp_path / "meminfo") == 3 << 10


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert machine._control_groups(NOWHERE, NOWHERE) == []
    assert bytes_left(tmp_path, "0::/\n") == []


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_has_what_it_has_not_used_of_its_limit(tmp_path: Path, version: int) -> None:
    group(tmp_path / "memory" if version == 1 else tmp_path, version, str(2 * GIB), GIB)
    assert bytes_left(tmp_path) == [GIB]


@pytest.mark.parametrize("version", [1, 2])
def test_cached_files_do_not_count_as_used(tmp_path: Path, version: int) -> None:
    group(tmp_path / "memory" if version == 1 else tmp_path, version, str(2 * GIB), 2 * GIB, cached=1000)
    assert bytes_left(tmp_path) == [1100]


def test_no_limit_in_either_version(tmp_path: Path) -> None:
    group(tmp_path, 2, "max", GIB)
    assert bytes_left(tmp_path) == []
    group(tmp_path / "memory", 1, str(2**63 - 4096), GIB)
    assert bytes_left(tmp_path) == []


def test_the_limits_of_all_groups_around_the_process_count(tmp_path: Path) -> None:
    group(tmp_path / "slurm/job_7/step_0", 2, "max", 1)
    group(tmp_path / "slurm/job_7", 2, str(4 * GIB), GIB)
    group(tmp_path / "slurm", 2, str(9 * GIB), GIB)
    group(tmp_path / "other", 2, "1", 1)
    assert sorted(bytes_left(tmp_path, "0::/slurm/job_7/step_0\n")) == [3 * GIB, 8 * GIB]


def test_version_1_names_its_group_by_controller(tmp_path: Path) -> None:
    group(tmp_path / "memory/docker/1f2e", 1, str(3 * GIB), GIB)
    group(tmp_path / "memory/wrong", 1, str(GIB), GIB)
    assert bytes_left(tmp_path, "5:cpu,cpuacct:/wrong\n4:memory:/docker/1f2e\n1:name=systemd:/wrong\n") == [2 * GIB]


def test_a_group_outside_the_mount_is_ignored(tmp_path: Path) -> None:
    group(tmp_path / "groups", 2, str(GIB), 0)
    group(tmp_path, 2, "1", 1)
    assert bytes_left(tmp_path / "groups", "0::/../..\n") == [GIB]


def test_the_tightest_limit_applies_and_is_never_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_control_groups", lambda: [1234, 99 * GIB])
    assert machine.available_memory() == 1234
    monkeypatch.setattr(machine, "_control_groups", lambda: [-1234])
    assert machine.available_memory() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="has no ulimit")
def test_ulimit_counts() -> None:
    program = (
        "import resource, psutil; from hyperacuity import machine;"
        "limit = psutil.Process().memory_info().vms + (64 << 20);"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit));"
        "print(machine.available_memory())"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0 < int(answer.stdout) <= 64 << 20


@pytest.mark.parametrize(
    ("group", "limits", "expected"),
    [
        ("/", {"": "max 100000"}, math.inf),
        ("/", {"": "200000 100000"}, 2),
        ("/a/b", {"a": "150000 100000", "a/b": "max 100000"}, 1.5),  # the parent's limit applies too
        ("/a/b", {"a": "400000 100000", "a/b": "50000 100000"}, 0.5),
        ("/a/b", {"a": "nonsense"}, math.inf),
        (None, {}, math.inf),
    ],
)
def test_a_container_may_have_less_time_than_cores(
    group: str | None, limits: dict[str, str], expected: float, tmp_path: Path
) -> None:
    if group is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(f"4:memory:/elsewhere\n0::{group}\n")
    for name, content in limits.items():
        folder = tmp_path / "sys/fs/cgroup" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(content + "\n")
    assert machine.quota(tmp_path) == expected


def test_cores_are_whole_and_at_least_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = machine.cores()
    for quota, expected in ((0.3, 1), (1.5, min(2, bound)), (1000, bound)):
        monkeypatch.setattr(machine, "quota", functools.partial(float, quota))
        assert machine.cores() == expected


def test_the_processor_has_a_name() -> None:
    assert machine.processor()
