from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperacuity import datasets
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize


def save(path: Path, *shape: int, seed: int = 0) -> Path:
    """Save random pixels, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("a.png", True),
        ("ax2.png", True),
        ("a_x2.png", True),
        ("a.tif", True),
        ("ax3.png", False),
        ("a-x2.png", True),
        ("b.png", False),
        ("deeper/a.png", False),
    ],
)
def test_lr_has_the_name_of_its_hr_alone_or_with_the_scale(file: str, found: bool, tmp_path: Path) -> None:
    path = save(tmp_path / file, 4, 4)
    assert datasets.find_lr(["a"], tmp_path, 2) == [path if found else None]


def test_lr_files_are_found_in_the_order_of_their_names_and_in_the_same_subfolders(tmp_path: Path) -> None:
    paths = [save(tmp_path / name, 4, 4) for name in ("a_x2.png", "deeper/a.png", "bx2.png")]
    assert datasets.find_lr(["b", "missing", "deeper/a", "a"], tmp_path, 2) == [paths[2], None, paths[1], paths[0]]


def test_the_exact_name_comes_before_those_with_the_scale(tmp_path: Path) -> None:
    names = ("a.png", "ax2.png", "a_x2.png")
    paths = [save(tmp_path / name, 4, 4) for name in names]
    for path in paths:
        assert datasets.find_lr(["a"], tmp_path, 2) == [path]
        path.unlink()
        save(tmp_path / "other.png", 4, 4)  # a folder without images is an error of its own
    assert datasets.find_lr(["a"], tmp_path, 2) == [None]


def test_an_lr_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no images in"):
        datasets.find_lr(["a"], tmp_path, 2)


def test_hr_is_cut_to_the_pixels_of_its_lr(tmp_path: Path) -> None:
    hr, lr = save(tmp_path / "hr.png", 13, 11, 3), save(tmp_path / "lr.png", 6, 5, 3, seed=1)
    pair = datasets.read_pair(hr, lr, 2)
    np.testing.assert_array_equal(pair.lr, datasets.read_image(lr))
    np.testing.assert_array_equal(pair.hr, datasets.read_image(hr)[:12, :10])


def test_lr_without_a_file_is_made_by_bicubic(tmp_path: Path) -> None:
    hr = save(tmp_path / "hr.png", 13, 11, 3)
    pair = datasets.read_pair(hr, None, 2)
    whole = datasets.read_image(hr)[:12, :10]
    np.testing.assert_array_equal(pair.hr, whole)
    np.testing.assert_array_equal(pair.lr, resize(whole, size=(6, 5)))
    assert pair.lr.dtype == np.uint8
    exact = datasets.pair(whole, 2, exact=True).lr
    assert exact.dtype == np.float64
    np.testing.assert_array_equal(exact, resize(whole.astype(np.float64), size=(6, 5)))


def test_an_lr_of_another_size_is_an_error(tmp_path: Path) -> None:
    hr, lr = save(tmp_path / "hr.png", 12, 10), save(tmp_path / "lr.png", 7, 5)
    with pytest.raises(UsageError, match=r"lr\.png has 5 x 7 pixels, but .*hr\.png with 10 x 12 needs 5 x 6 at x2"):
        datasets.read_pair(hr, lr, 2)


@pytest.mark.parametrize(
    ("hr", "lr", "message"),
    [
        ((12, 10, 3), (6, 5), r"lr\.png has one channel and .*hr\.png has three channels"),
        ((12, 10), (6, 5, 3), r"lr\.png has three channels and .*hr\.png has one channel"),
    ],
    ids=["grey LR", "grey HR"],
)
def test_an_lr_with_other_channels_is_an_error(
    hr: tuple[int, ...], lr: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        datasets.read_pair(save(tmp_path / "hr.png", *hr), save(tmp_path / "lr.png", *lr), 2)


def test_an_image_smaller_than_an_lr_pixel_is_an_error() -> None:
    with pytest.raises(UsageError, match="an image of 9 x 2 pixels is too small for x3"):
        datasets.pair(np.zeros((2, 9, 3), np.uint8), 3)
