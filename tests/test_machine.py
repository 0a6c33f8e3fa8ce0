from __future__ import annotations

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


def left(root: Path, membership: str = "") -> list[int]:
    (root / "membership").write_text(membership)
    return machine._control_groups(root, root / "membership")


def test_there_is_some_memory_and_not_more_than_the_machine_has() -> None:
    assert 0 < machine.available_memory() <= psutil.virtual_memory().total


def test_what_the_machine_has_left_is_told_as_by_psutil(tmp_path: Path) -> None:
    told, asked = machine._machine(), machine._machine(NOWHERE)
    assert told == pytest.approx(asked, abs=GIB // 2)  # others take and give some in between
    (tmp_path / "meminfo").write_text("MemTotal: 8 kB\nMemFree: 1 kB\nMemAvailable:       3 kB\n")
    assert machine._machine(tmp_path / "meminfo") == 3 << 10


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert machine._control_groups(NOWHERE, NOWHERE) == []
    assert left(tmp_path, "0::/\n") == []


@pytest.mark.parametrize("version", [1, 2])
def test_a_containers_limit_is_what_it_has_not_used(tmp_path: Path, version: int) -> None:
    group(tmp_path / "memory" if version == 1 else tmp_path, version, str(2 * GIB), GIB)
    assert left(tmp_path) == [GIB]


@pytest.mark.parametrize("version", [1, 2])
def test_cached_files_do_not_count_as_used(tmp_path: Path, version: int) -> None:
    group(tmp_path / "memory" if version == 1 else tmp_path, version, str(2 * GIB), 2 * GIB, cached=1000)
    assert left(tmp_path) == [1100]


def test_no_limit_in_either_version(tmp_path: Path) -> None:
    group(tmp_path, 2, "max", GIB)
    assert left(tmp_path) == []
    group(tmp_path / "memory", 1, str(2**63 - 4096), GIB)
    assert left(tmp_path) == []


def test_the_limits_of_all_groups_around_the_process_count(tmp_path: Path) -> None:
    group(tmp_path / "slurm/job_7/step_0", 2, "max", 1)
    group(tmp_path / "slurm/job_7", 2, str(4 * GIB), GIB)
    group(tmp_path / "slurm", 2, str(9 * GIB), GIB)
    group(tmp_path / "other", 2, "1", 1)
    assert sorted(left(tmp_path, "0::/slurm/job_7/step_0\n")) == [3 * GIB, 8 * GIB]


def test_version_1_names_its_group_by_controller(tmp_path: Path) -> None:
    group(tmp_path / "memory/docker/1f2e", 1, str(3 * GIB), GIB)
    group(tmp_path / "memory/wrong", 1, str(GIB), GIB)
    assert left(tmp_path, "5:cpu,cpuacct:/wrong\n4:memory:/docker/1f2e\n1:name=systemd:/wrong\n") == [2 * GIB]


def test_a_group_outside_the_mount_is_passed_over(tmp_path: Path) -> None:
    group(tmp_path / "groups", 2, str(GIB), 0)
    group(tmp_path, 2, "1", 1)
    assert left(tmp_path / "groups", "0::/../..\n") == [GIB]


def test_the_tightest_limit_wins_and_never_goes_below_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
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
