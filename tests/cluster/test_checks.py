"""What is checked on each machine."""

from __future__ import annotations

import json
import platform
import socket
from pathlib import Path

import pytest

from hyperacuity.cluster import checks, models
from hyperacuity.cluster.checks import ERROR, OK, WARNING, check_node, cpu_features, require_same_cpu
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import RunSettings
from hyperacuity.cluster.work import Worker
from hyperacuity.errors import UsageError


@pytest.fixture(autouse=True)
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Ray head, and room on the disk, whatever this machine has."""
    monkeypatch.setattr(checks, "_LEAST_FREE", 0)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")


def texts(plan: Plan, level: str) -> list[str]:
    return [each.text for each in check_node(plan) if each.level == level]


def test_a_machine_that_agrees_has_nothing_to_say(tasks: str, tmp_path: Path) -> None:
    with Plan(tasks) as plan:
        assert {each.level for each in check_node(plan)} == {OK}
        assert [path.name for path in Path(plan.state("nodes")).iterdir()] == [platform.node() or "unnamed"]
    assert not list((tmp_path / "out").iterdir())


def test_other_versions_models_and_sources_are_named(
    tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "0.png").unlink()
    monkeypatch.setattr(checks, "package_versions", lambda: {"numpy": "0.1"})
    monkeypatch.setattr(models, "hash_models", lambda options: {})
    monkeypatch.setattr(checks, "_LEAST_FREE", 1 << 80)
    with Plan(tasks) as plan:
        header = plan.header
        object.__setattr__(header, "models", {"acute.onnx": "00"})
        errors, warnings = texts(plan, ERROR), texts(plan, WARNING)
    assert any("acute.onnx is not the one of the plan" in each for each in errors)
    assert any("0.png is not there" in each for each in errors)
    assert any("numpy 0.1 instead of" in each for each in warnings)
    assert any("GiB are free" in each for each in warnings)


def test_machines_that_differ_are_named(tasks: str) -> None:
    with Plan(tasks) as plan:
        plan.store.write(plan.state("nodes", "other"), json.dumps({"cpu": "abacus", "packages": {}}).encode())
        found = texts(plan, WARNING)
    assert found == [
        "other has another processor; results of the two may differ by 1e-4: abacus",
        "other has other versions of packages",
    ]


def test_only_processors_that_agree_work_where_that_is_wanted(tasks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RunSettings(same_cpu=True)
    with Plan(tasks) as plan:
        require_same_cpu(plan)
        Worker(plan, settings).close()
        monkeypatch.setattr(checks, "cpu_features", lambda: "abacus")
        with pytest.raises(UsageError, match=r"this processor \(abacus\) differs"):
            Worker(plan, settings)
        Worker(plan).close()
    assert cpu_features().startswith(platform.machine())


def test_a_ray_head_that_obeys_everyone_is_named(tasks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    with socket.create_server(("127.0.0.1", 0)) as head, Plan(tasks) as plan:
        monkeypatch.setattr(checks, "_RAY_PORT", head.getsockname()[1])
        assert any("a Ray head on 127.0.0.1" in each for each in texts(plan, WARNING))
    with Plan(tasks) as plan:
        assert not any("Ray" in each for each in texts(plan, WARNING))


def test_a_store_that_cannot_be_written_is_named(tasks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, location: str, data: bytes) -> bool:
        raise UsageError(f"{location}: no permission to write there")

    with Plan(tasks) as plan:
        monkeypatch.setattr(type(plan.store), "create", refuse)
        assert len([each for each in texts(plan, ERROR) if "no permission" in each]) == 2
