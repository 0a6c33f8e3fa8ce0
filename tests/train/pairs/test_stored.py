from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hyperacuity.errors import UsageError
from hyperacuity.train.pairs.settings import PairsTable
from hyperacuity.train.pairs.stored import StoredPairs, shard_folders
from tests.train.pairs.folders import store

KINDS = ["clean", "web", "web", "heavy"]
TRUTH = {"web": 0.25, "heavy": 0.0}


def opened(folder: Path, batch: int = 8, **changes: Any) -> StoredPairs:
    options = {"rank": changes.pop("rank", 0), "world": changes.pop("world", 1), "scale": changes.pop("scale", 2)}
    settings = PairsTable(count=len(KINDS), teacher="any", truth=TRUTH, **changes)
    return StoredPairs(folder, settings, patch=changes.get("patch", 6), batch=batch, seed=3, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store(tmp_path / "pairs", KINDS)
    return tmp_path / "pairs"


def test_targets_blend_teacher_and_truth_by_the_share_of_the_kind(folder: Path) -> None:
    """Where the share is 1, the truth alone, where it is 0, the teacher alone."""
    seen = set()
    for step in range(4):
        batch = opened(folder)[step]
        _, target, _ = batch.planes()
        for n, share in enumerate(batch.shares.flatten().tolist()):
            wanted = batch.teacher[n].double() * (1 - share) + batch.truth[n].double() * share
            np.testing.assert_allclose(target[n] * 255, wanted, atol=1e-3)
            seen.add(share)
    assert seen == {1.0, 0.25, 0.0}


def test_real_images_are_the_truth_as_often_as_its_share(folder: Path) -> None:
    batch = opened(folder, batch=2000)[0]
    _, _, real = batch.planes()
    for share in (1.0, 0.25, 0.0):
        of_share = batch.shares.flatten() == share
        from_truth = real[of_share].amin((1, 2, 3)) > 0.5  # the truth is light, the teacher's result dark
        assert from_truth.float().mean().item() == pytest.approx(share, abs=0.05)
        assert torch.equal(from_truth, batch.is_truth.flatten()[of_share])


def test_lr_and_truth_are_cut_and_turned_alike(folder: Path) -> None:
    """LR pixel (0, 0) marks the HR pixels that belong to it."""
    path = shard_folders(folder, 1)[0]
    lr = np.load(path / "lr.npy")
    np.save(path / "truth.npy", lr.repeat(2, 1).repeat(2, 2))
    for step in range(3):
        batch = opened(folder)[step]
        assert torch.equal(batch.lr.repeat_interleave(2, 2).repeat_interleave(2, 3), batch.truth)
        assert batch.lr.shape == (8, 3, 6, 6)


def test_a_batch_follows_from_its_step_and_two_processes_share_one(folder: Path) -> None:
    whole = opened(folder, batch=4)[7]
    assert torch.equal(opened(folder, batch=4)[7].lr, whole.lr)
    assert not torch.equal(opened(folder, batch=4)[8].lr, whole.lr)
    parts = [opened(folder, batch=2, rank=rank, world=2)[7] for rank in range(2)]
    for name in ("lr", "teacher", "truth", "shares", "is_truth"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))


def test_kinds_are_drawn_by_their_shares_whatever_is_stored(folder: Path) -> None:
    shares = {"clean": 3.0, "web": 1.0}
    drawn = opened(folder, batch=2000, shares=shares)[0].shares.flatten()
    assert (drawn == 1).float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert (drawn == 0.25).float().mean().item() == pytest.approx(0.25, abs=0.05)
    with pytest.raises(UsageError, match=r"pairs\.shares: there are no pairs of phone"):
        opened(folder, shares={"phone": 1.0})


def test_without_a_teacher_the_truth_is_learnt(folder: Path) -> None:
    batch = StoredPairs(folder, PairsTable(count=4), scale=2, patch=6, batch=8, seed=0)[0]
    _, target, real = batch.planes()
    assert torch.equal(target, batch.truth.float() / 255)
    assert torch.equal(real, target)


def test_pairs_that_do_not_fit_raise(folder: Path) -> None:
    with pytest.raises(UsageError, match="are not of x4"):
        opened(folder, scale=4)
    (folder / "shard-00000/truth.npy").write_bytes(b"")
    with pytest.raises(UsageError, match="shard-00000 cannot be read as stored pairs"):
        opened(folder)
