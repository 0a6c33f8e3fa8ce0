from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest

from hyperacuity import datasets
from hyperacuity.errors import UsageError


def folder_of(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("L", (2, 2)).save(folder / name)
    return folder


def paired(tmp_path: Path, hr: list[str], lr: list[str], scale: int = 2) -> dict[str, str]:
    hr_folder, lr_folder = folder_of(tmp_path / "hr", *hr), folder_of(tmp_path / "lr", *lr)
    found = datasets.pair_files(datasets.list_images(hr_folder), hr_folder, lr_folder, scale)
    return {a.relative_to(hr_folder).as_posix(): b.relative_to(lr_folder).as_posix() for a, b in found.items()}


@pytest.mark.parametrize(
    ("hr", "lr", "scale"),
    [
        ("0001.png", "0001.jpg", 2),
        ("0001.png", "0001x2.png", 2),
        ("0001.png", "X2/0001x2.png", 2),
        ("0001.png", "LR_bicubic/X4/0001x4.png", 4),
        ("0001.png", "x3/0001.png", 3),
        ("HR/0001.png", "LR/0001.png", 2),
        ("a.png", "a_x2.png", 2),
        ("a.png", "a-x2.png", 2),
        ("a.png", "a_X2.png", 2),
        ("a.png", "a_2x.png", 2),
        ("a.png", "a_bicLRx4.png", 4),
        ("a.png", "a_bicubic_x2.png", 2),
        ("img_001_SRF_2_HR.png", "img_001_SRF_2_LR.png", 2),
        ("baby_HR_x2.png", "baby_LRBI_x2.png", 2),
        ("0001_hr.png", "0001_lr.png", 2),
        ("0001HR.png", "0001LR.png", 2),
        ("HR_0001.png", "LR_0001.png", 2),
        ("photo HR 1.png", "photo LR 1.png", 2),
        ("a.png", "a_LR.png", 2),
        ("a_HR.png", "a.png", 2),
        ("a_gt.png", "a_lq.png", 2),
        ("Canon_005_HR.png", "Canon_005_LR4.png", 4),
        ("A.PNG", "a.png", 2),
        ("a.b 1.png", "a.b 1x2.png", 2),
        ("größe ✓.png", "größe ✓_x2.png", 2),
    ],
)
def test_the_names_of_the_fields_sets_pair(hr: str, lr: str, scale: int, tmp_path: Path) -> None:
    assert paired(tmp_path, [hr], [lr], scale) == {hr: lr}


@pytest.mark.parametrize("lr", ["ax3.png", "X3/a.png", "b.png", "aa.png", "a_SRF_3_LR.png", "deeper/a.png"])
def test_other_names_and_other_scales_do_not_pair(lr: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no LR for a\.png"):
        paired(tmp_path, ["a.png"], [lr])


def test_names_that_end_like_a_scale_keep_their_own_lr(tmp_path: Path) -> None:
    hr = ["bmw_x2.png", "bmw_x3.png", "bmw_x4.png", "box.png", "box2.png", "box_x2.png"]
    for n, (suffix, scale) in enumerate((("", 2), ("x2", 2), ("_x2", 2), ("-x4", 4), ("_LR", 2), ("_bicLRx4", 4))):
        lr = [name.replace(".png", f"{suffix}.png") for name in hr]
        assert paired(tmp_path / str(n), hr, lr, scale) == dict(zip(hr, lr, strict=True))


def test_no_file_pairs_twice_and_two_that_fit_are_not_chosen_between(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no LR for bmw\.png"):
        paired(tmp_path / "1", ["bmw.png", "bmw_x2.png"], ["bmw_x2.png"])
    with pytest.raises(UsageError, match=r"has no LR for a\.tif"):
        paired(tmp_path / "2", ["a.tif"], ["a.png", "a.jpg"])
    with pytest.raises(UsageError, match=r"has no LR for a\.jpg, a\.png"):
        paired(tmp_path / "3", ["a.jpg", "a.png"], ["a.tif"])
    both = {"a.jpg": "a.jpg", "a.png": "a.png"}
    assert paired(tmp_path / "4", [*both], [*both]) == both


def test_the_error_lists_the_patterns_and_the_first_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        paired(tmp_path, [f"{n}.png" for n in range(5)], ["z.png", "0x2.png"])
    text = str(raised.value)
    assert "has no LR for 1.png, 2.png, 3.png and 1 more; unpaired there: z.png." in text
    for pattern in ("NAMEx2", "NAME_x2", "NAME-x2", "NAME_bicLRx2", "NAME_SRF_2_LR", "NAME_HR", "X2"):
        assert pattern in text


def test_lr_may_lie_in_the_folder_of_hr_or_in_one_within(tmp_path: Path) -> None:
    same = folder_of(tmp_path / "Set5", "img_001_SRF_2_HR.png", "img_001_SRF_2_LR.png")
    assert datasets.pair_files(datasets.list_images(same), same, same, 2) == {
        same / "img_001_SRF_2_HR.png": same / "img_001_SRF_2_LR.png"
    }
    outer = folder_of(tmp_path / "outer", "a.png", "LR/a.png")
    assert datasets.pair_files(datasets.list_images(outer), outer, outer / "LR", 2) == {
        outer / "a.png": outer / "LR/a.png"
    }
    inner = folder_of(tmp_path / "inner", "HR/a.png", "x2/a.png")
    hr = inner / "HR"
    assert datasets.pair_files(datasets.list_images(hr), hr, inner, 2) == {hr / "a.png": inner / "x2/a.png"}


@pytest.mark.parametrize("suffix", ["", "-x2", "_x2", "_SR", "_out", "_acute-100k", "x2_EDSR_L"])
def test_results_pair_by_the_same_patterns_and_by_a_common_suffix(suffix: str, tmp_path: Path) -> None:
    hr = folder_of(tmp_path / "hr", "a.png", "b_x2.png")
    results = folder_of(tmp_path / "sr", f"a{suffix}.png", f"b_x2{suffix}.png")
    assert datasets.pair_results(datasets.list_images(hr), hr, results, 2) == {
        hr / name: results / name.replace(".png", f"{suffix}.png") for name in ("a.png", "b_x2.png")
    }


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png", "@eaDir/a.png", ".thumbnails/a.png")
    for name in ("._a.png", ".DS_Store", "Thumbs.db", "notes.txt", "scan.pdf"):
        (folder / name).write_bytes(b"\0\5\26\7")
    assert datasets.list_images(folder) == [folder / "a.png"]
    assert datasets.files([folder]) == [folder / "a.png"]


def test_images_that_cannot_be_read_are_named_once(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png")
    (folder / "b.png").write_bytes(b"\0\5\26\7")
    (folder / "c.psd").write_bytes(b"8BPS\0\1")
    with pytest.warns(
        datasets.LeftOutWarning, match=r"2 images are left out: .*b\.png .*c\.psd is a Photoshop"
    ) as warned:
        assert datasets.files([folder]) == [folder / "a.png"]
    assert len(warned) == 1
    (folder / "a.png").unlink()
    with pytest.raises(UsageError, match="none of the 2 images in"):
        datasets.files([folder])
