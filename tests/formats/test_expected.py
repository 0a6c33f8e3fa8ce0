from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest

from hyperacuity.formats.expected import Expected, classify, is_clutter, walk


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPG", Expected.IMAGE),
        ("a.jp2", Expected.IMAGE),
        ("a.MOV", Expected.VIDEO),
        ("a.avi", Expected.VIDEO),
        ("a.PSD", Expected.FOREIGN_IMAGE),
        ("a.CR3", Expected.FOREIGN_IMAGE),
        ("a.xcf", Expected.FOREIGN_IMAGE),
        ("a.pdf", Expected.DOCUMENT),
        ("a.txt", Expected.NOTHING),
        ("a.json", Expected.NOTHING),
        ("a.thm", Expected.NOTHING),
        ("a", Expected.NOTHING),
    ],
)
def test_an_ending_tells_what_an_empty_file_was_meant_to_be(name: str, expected: Expected, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()
    assert classify(path) is expected


def test_the_content_tells_where_the_ending_does_not(tmp_path: Path) -> None:
    image = PIL.Image.new("RGB", (4, 4))
    for name in ("a", "a.jpg_large", "a.mpo", "a.thm", "a.jpg~"):
        image.save(tmp_path / name, format="JPEG")
    assert classify(tmp_path / "a") is Expected.IMAGE
    assert classify(tmp_path / "a.jpg_large") is Expected.IMAGE
    assert classify(tmp_path / "a.mpo") is Expected.IMAGE
    assert classify(tmp_path / "a.thm") is Expected.NOTHING
    assert classify(tmp_path / "a.jpg~") is Expected.NOTHING
    (tmp_path / "program.ts").write_text("export const answer = 42;\n")
    assert classify(tmp_path / "program.ts") is Expected.NOTHING
    (tmp_path / "song.m4a").write_bytes(b"\0\0\0\x18ftypM4A \0\0\0\0")
    assert classify(tmp_path / "song.m4a") is Expected.NOTHING


@pytest.mark.parametrize(
    "name",
    ["._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/a.jpg", ".thumbnails/a.png", ".nomedia", "x/.a/b.png"],
)
def test_clutter_is_hidden_or_of_the_systems_making(name: str) -> None:
    assert is_clutter(Path(name))
    assert not is_clutter(Path("photos/a.jpg"))


def test_a_walk_is_sorted_and_enters_each_folder_once(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "Thumbs.db", "deep/c.png", "@eaDir/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deep/up").symlink_to(tmp_path, target_is_directory=True)
    assert [path.name for path in walk(tmp_path, recursive=False)] == ["a.png", "b.png"]
    assert [path.name for path in walk(tmp_path, recursive=True)] == ["a.png", "b.png", "c.png"]
