from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hyperacuity import datasets
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize
from hyperacuity.train import patches as patches_module
from hyperacuity.train.degrade import Bicubic
from hyperacuity.train.images import TrainingImage, find_images
from hyperacuity.train.patches import Cut, Patches, read_batches


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images of noise, so that all patches differ; one of them is grey, one too small."""
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (40, 56, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(random.integers(0, 256, (32, 48), np.uint8)).save(tmp_path / "b.png")
    Image.fromarray(random.integers(0, 256, (9, 90, 3), np.uint8)).save(tmp_path / "c.png")
    return tmp_path


def patches(folder: Path, *, cuts: tuple[Cut, ...] = (Cut(2, 24, 4),), batch: int = 6, **options: int) -> Patches:
    channels = options.pop("channels", 1)
    made = Patches(find_images([folder], [], [1.0], 2), cuts=cuts, channels=channels, batch=batch, seed=3, **options)
    list(made.load())
    return made


def ways(square: np.ndarray) -> list[bytes]:
    """Return the eight orientations of a square."""
    return [np.rot90(one, k).tobytes() for one in (square, square.T) for k in range(4)]


def test_a_batch_depends_only_on_its_step(folder: Path) -> None:
    first, other = patches(folder), patches(folder)
    _ = first[0]
    assert torch.equal(first[7].hr, other[7].hr)
    assert not torch.equal(first[7].hr, first[8].hr)


def test_two_processes_together_get_the_patches_of_one(folder: Path) -> None:
    whole = patches(folder, batch=6)[4]
    halves = [patches(folder, batch=3, rank=rank, world=2)[4] for rank in range(2)]
    assert torch.equal(torch.cat([half.hr for half in halves]), whole.hr)


def test_a_degraded_patch_with_margin_is_a_patch_of_the_degraded_image(folder: Path) -> None:
    hr = datasets.luma(datasets.read_image(folder / "a.png"))
    lr = resize(hr, scale=0.5)
    margin = Bicubic().margin(2)
    made = Patches(
        find_images([folder], [], [1.0], 2),
        cuts=[Cut(2, 2 * (8 + 2 * margin), 2 * margin)],
        channels=1,
        batch=40,
        seed=0,
    )
    small = Bicubic().degrade(made[0].hr, 2, torch.Generator())
    inner = (small[..., margin:-margin, margin:-margin] * 255).round().byte().numpy()[:, 0]
    windows = {
        way
        for image in (lr, resize(datasets.luma(datasets.read_image(folder / "b.png")), scale=0.5))
        for top in range(image.shape[0] - 7)
        for left in range(image.shape[1] - 7)
        for way in ways(image[top : top + 8, left : left + 8])
    }
    # Patches begin at any HR pixel; those that begin at an LR pixel must be in the LR image, also at its border.
    found = sum(patch.tobytes() in windows for patch in inner)
    assert found >= 5


def test_every_corner_is_drawn_and_small_images_are_skipped(folder: Path) -> None:
    made = patches(folder, cuts=(Cut(1, 32),), batch=3000)
    assert [source.hr.name for source in made.images] == ["a.png", "b.png"]
    image = datasets.luma(datasets.read_image(folder / "a.png"))
    seen = {patch.tobytes() for patch in made[0].hr.numpy()[:, 0]}
    for rows in (slice(None, 32), slice(-32, None)):
        for columns in (slice(None, 32), slice(-32, None)):
            assert seen & set(ways(image[rows, columns]))


def test_all_eight_orientations_of_a_patch_occur(tmp_path: Path) -> None:
    square = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(square).save(tmp_path / "a.png")
    found = {patch.tobytes() for patch in patches(tmp_path, cuts=(Cut(1, 16),), batch=100)[0].hr.numpy()}
    assert found == set(ways(square))


def test_grey_images_become_rgb(folder: Path) -> None:
    made = patches(folder, channels=3, cuts=(Cut(1, 32),), batch=30)
    assert made[0].hr.shape == (30, 3, 32, 32)
    grey = [one for one in made[0].hr if torch.equal(one[0], one[1])]
    assert grey


def test_images_beyond_the_memory_are_decoded_by_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches_module, "SHARE", 0.0)
    made = patches(folder)
    assert not made.fits
    here = list(read_batches(made, 2, 5, workers=0))
    there = list(read_batches(patches(folder), 2, 5, workers=1))
    assert len(here) == len(there) == 3
    for a, b in zip(here, there, strict=True):
        assert torch.equal(a.hr, b.hr)
        assert a.cut == b.cut


def test_the_patch_that_bicubic_restores_worst_is_used(tmp_path: Path) -> None:
    """The noisy quarter of a smooth image is used whenever one of the four drawn patches lies in it."""
    y, x = np.mgrid[0:128, 0:128]
    image = ((y + x) // 2).astype(np.uint8)
    image[:64, :64] = np.random.default_rng(0).integers(0, 256, (64, 64))
    Image.fromarray(image).save(tmp_path / "a.png")

    def hard(hardest_of: int, **options: int) -> float:
        made = patches(tmp_path, cuts=(Cut(2, 16),), batch=400, hardest_of=hardest_of, **options)
        return float(np.mean([patch.std() > 20 for patch in made[0].hr.numpy()]))

    assert 0.2 < hard(1) < 0.4
    assert 0.6 < hard(4) < 0.85  # 1 - 0.7^4
    whole = patches(tmp_path, batch=6, hardest_of=3)[4]
    halves = [patches(tmp_path, batch=3, hardest_of=3, rank=rank, world=2)[4] for rank in range(2)]
    assert torch.equal(torch.cat([half.hr for half in halves]), whole.hr)


def test_the_hardness_of_a_patch_follows_its_given_lr(tmp_path: Path) -> None:
    for name, factor in (("hr", 1), ("lr", 2)):
        (tmp_path / name).mkdir()
        half = np.zeros((65 // factor, 130 // factor), np.uint8)
        half[:, 65 // factor :] = 0 if name == "hr" else 90  # what this LR shows cannot be seen in HR
        Image.fromarray(half).save(tmp_path / name / "a.png")
    made = Patches(
        find_images([tmp_path / "hr"], [tmp_path / "lr"], [1.0], 2),
        cuts=[Cut(2, 16)], channels=1, batch=200, seed=0, hardest_of=8,
    )  # fmt: skip
    shown = made[0].lr
    assert shown is not None
    assert (shown.float().mean((1, 2, 3)) > 40).float().mean() > 0.95


def test_decoded_images_are_replaced_one_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run would wait for many at once. No image is decoded twice while it is held."""
    monkeypatch.setattr(patches_module, "SHARE", 0.0)
    factors = [1 + n / 1000 for n in range(500)]
    made = Patches(
        find_images([folder], [], factors, 2), cuts=[Cut(1, 32)], channels=1, batch=patches_module.HELD, seed=0
    )
    decoded = []
    for step in range(150):
        before = made._load.cache_info().misses
        _ = made[step]
        decoded.append(made._load.cache_info().misses - before)
    assert decoded[0] > patches_module.HELD * 0.8
    assert max(decoded[1:]) <= 2
    assert sum(decoded[1:]) <= 149


def test_each_step_draws_a_scale(folder: Path) -> None:
    made = patches(folder, cuts=(Cut(2, 16), Cut(4, 32)))
    assert {made[step].cut.scale for step in range(20)} == {2, 4}


def test_lr_patches_cover_their_hr_patches(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    for name in ("a", "b", "c"):
        image = datasets.luma(datasets.read_image(folder / f"{name}.png"))
        whole = image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2]
        Image.fromarray(whole[::2, ::2]).save(small / f"{name}.png")
        Image.fromarray(whole).save(folder / f"{name}.png")
    hr = [path for path in find_images([folder], [], [1.0], 2) if path.hr.parent == folder]
    paired = [TrainingImage(source.hr, small / source.hr.name, 1.0) for source in hr]
    made = Patches(paired, cuts=[Cut(2, 16)], channels=1, batch=8, seed=0)
    batch = made[0]
    assert batch.lr is not None
    for large, little in zip(batch.hr[:, 0], batch.lr[:, 0], strict=True):
        # Each LR pixel is one of its four HR pixels, in every orientation of the patch.
        over = large.view(8, 2, 8, 2).permute(0, 2, 1, 3).reshape(8, 8, 4)
        assert (over == little[..., None]).any(-1).all()
    Image.fromarray(np.zeros((7, 7), np.uint8)).save(small / "a.png")
    with pytest.raises(UsageError, match=r"a\.png has 7 x 7 pixels, but .*a\.png with 56 x 40 needs 28 x 20 at x2"):
        list(Patches(paired, cuts=[Cut(2, 16)], channels=1, batch=8, seed=0).load())


@pytest.mark.parametrize("share", [0.5, 0.0], ids=["decoded once", "decoded during the run"])
def test_an_image_that_cannot_be_decoded_is_replaced_by_the_next(
    folder: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches_module, "SHARE", share)
    broken = folder / "a.png"
    broken.write_bytes(broken.read_bytes()[:-400])  # its header is intact

    def drawn(*steps: int) -> list[torch.Tensor]:
        made = patches(folder)
        return [made[n].hr for n in steps]

    with pytest.warns(datasets.LeftOutWarning, match=r"1 image is left out: .*a\.png") as warned:
        batches = drawn(0, 1, 2, 3)
    assert len(warned) == 1
    with pytest.warns(datasets.LeftOutWarning):
        resumed = drawn(3)
    assert torch.equal(resumed[0], batches[3])
    whole = datasets.luma(datasets.read_image(folder / "b.png"))
    left = {
        way for top in range(9) for column in range(25) for way in ways(whole[top : top + 24, column : column + 24])
    }
    assert any(patch.numpy().tobytes() in left for patch in batches[0][:, 0])


def test_a_file_that_is_not_there_any_more_is_replaced_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches_module, "SHARE", 0.0)
    made = patches(folder)
    (folder / "a.png").unlink()
    with pytest.warns(datasets.LeftOutWarning, match=r"a\.png does not exist"):
        _ = [made[n] for n in range(4)]
    (folder / "b.png").unlink()
    made._load.cache_clear()
    with pytest.warns(datasets.LeftOutWarning), pytest.raises(UsageError, match="none of the images to learn from"):
        _ = [made[n] for n in range(9)]
