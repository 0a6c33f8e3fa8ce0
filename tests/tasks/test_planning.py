from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hyperacuity import formats
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.task import ImageOptions, Task, VideoOptions
from hyperacuity.tasks import Naming, Route, find_unplanned, fit_options, plan
from hyperacuity.tasks.naming import find_windows_fault

PIPE = Path("-")
NAMING = Naming(suffix=None, default="-x2", extension=None)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.PNG", "notes.txt", "deep/a.jpg", "deep/er/c.webp", "odd [1] 50%.png", "größe.tif"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def planned(inputs: list[str], output: str | None = None, naming: Naming = NAMING, recursive: bool = False) -> set[str]:
    return {
        f"{route.source.as_posix()} {route.target.as_posix()}"
        for route in plan(inputs, output, naming, recursive=recursive)
    }


def test_a_result_lies_next_to_its_source(tree: Path) -> None:
    assert planned(["a.jpg"]) == {"a.jpg a-x2.jpg"}
    assert planned(["deep/a.jpg"]) == {"deep/a.jpg deep/a-x2.jpg"}
    assert planned(["notes.txt"]) == {"notes.txt notes-x2.png"}  # its content decides whether it is an image


def test_a_result_gets_the_requested_name(tree: Path) -> None:
    assert planned(["a.jpg"], "new/b.webp") == {"a.jpg new/b.webp"}


def test_results_in_another_folder_keep_their_names(tree: Path) -> None:
    assert planned(["a.jpg"], "out/") == {"a.jpg out/a.jpg"}
    assert planned(["a.jpg", "b.PNG"], "out") == {"a.jpg out/a.jpg", "b.PNG out/b.PNG"}
    assert planned(["a.jpg"], "out/", Naming("_large", "-x2", ".png")) == {"a.jpg out/a_large.png"}


def test_a_folder_gives_its_images_and_with_recursion_its_tree(tree: Path) -> None:
    flat = {"a.jpg", "b.PNG", "odd [1] 50%.png", "größe.tif"}
    assert {route.source.name for route in plan(["."], "out", NAMING, recursive=False)} == flat
    deep = planned(["."], "out", recursive=True)
    assert len(deep) == 6
    assert {"deep/a.jpg out/deep/a.jpg", "deep/er/c.webp out/deep/er/c.webp"} <= deep


def test_a_folder_into_itself_adds_the_size(tree: Path) -> None:
    assert planned(["deep"]) == {"deep/a.jpg deep/a-x2.jpg"}
    assert planned(["deep"], "deep") == {"deep/a.jpg deep/a-x2.jpg"}


def test_patterns_are_expanded_unless_a_file_has_that_name(tree: Path) -> None:
    assert planned(["*.jpg"]) == {"a.jpg a-x2.jpg"}
    Path("deep/Thumbs.db").touch()
    Path("deep/a.txt").touch()
    assert planned(["deep/*"]) == {"deep/a.jpg deep/a-x2.jpg"}
    assert planned(["odd [1] 50%.png"]) == {"odd [1] 50%.png odd [1] 50%-x2.png"}


def test_pipes(tree: Path) -> None:
    assert plan(["-"], None, NAMING, recursive=False) == [Route(PIPE, PIPE)]
    assert plan(["-"], "-", NAMING, recursive=False) == [Route(PIPE, PIPE)]
    assert plan(["a.jpg"], "-", NAMING, recursive=False) == [Route(Path("a.jpg"), PIPE)]
    assert plan(["-"], "b.png", NAMING, recursive=False) == [Route(PIPE, Path("b.png"))]


@pytest.mark.parametrize(
    ("inputs", "output", "naming", "message"),
    [
        (["none.jpg"], None, NAMING, "there is no none.jpg"),
        (["*.gif"], None, NAMING, "there is no"),
        (["a.jpg", "deep/a.jpg"], "out", NAMING, "would both become"),
        (["a.jpg", "b.PNG"], "-", NAMING, "one pipe"),
        (["a.jpg", "b.PNG"], "notes.txt", NAMING, "is a file"),
        (["a.jpg"], "a.jpg", NAMING, "is an input"),
        (["a.jpg"], None, Naming("", "-x2", None), "is an input"),
        (["-"], "out/", NAMING, "standard input"),
        (["a.jpg"], "", NAMING, "the output is empty"),
        (["a.jpg", ""], None, NAMING, "an input is empty"),
        (["a.jpg", "b.PNG"], "all.png", NAMING, "one file for several"),
        (["deep"], "all.png", NAMING, "one file for several"),
        (["a.jpg"], "b.png", Naming(None, "-x2", ".webp"), "leave out ext"),
    ],
)
def test_impossible_requests_are_refused_before_work(
    tree: Path, inputs: list[str], output: str | None, naming: Naming, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        plan(inputs, output, naming, recursive=False)


def test_a_file_that_is_named_twice_is_planned_once(tree: Path) -> None:
    assert planned(["a.jpg", "./a.jpg", "*.jpg"]) == {"a.jpg a-x2.jpg"}
    assert len(plan(["a.jpg", "."], "out", NAMING, recursive=False)) == 4


def test_a_broken_link_is_named(tree: Path) -> None:
    Path("broken.png").symlink_to("nowhere")
    with pytest.raises(UsageError, match="is a broken link"):
        plan(["broken.png"], None, NAMING, recursive=False)


def test_hidden_files_are_found_only_by_name(tree: Path) -> None:
    for name in ("deep/._a.jpg", "deep/.thumbnails/a.jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert planned(["deep"], recursive=True) == {"deep/a.jpg deep/a-x2.jpg", "deep/er/c.webp deep/er/c-x2.webp"}
    assert planned(["deep/._a.jpg"]) == {"deep/._a.jpg deep/._a-x2.jpg"}


def test_formats_that_are_only_read_are_found_in_folders(tree: Path) -> None:
    Path("deep/scan.jp2").touch()
    assert planned(["deep"], "out") == {"deep/a.jpg out/a.jpg", "deep/scan.jp2 out/scan.png"}


def test_results_of_an_earlier_run_are_not_upscaled_again(tree: Path) -> None:
    before = planned(["."], "out", recursive=True)
    Path("out/deep").mkdir(parents=True)
    Path("out/deep/a.jpg").touch()
    assert planned(["."], "out", recursive=True) == before
    assert len(planned(["."], "./deep/../out/", recursive=True)) == len(before)
    again = planned(["deep"])
    Path("deep/a-x2.jpg").touch()
    assert planned(["deep"]) == again
    assert planned(["deep/a-x2.jpg"]) == {"deep/a-x2.jpg deep/a-x2-x2.jpg"}


def test_a_name_without_an_ending_gets_the_requested_one(tree: Path) -> None:
    webp = Naming(None, "-x2", ".webp")
    assert planned(["a.jpg"], "b", webp) == {"a.jpg b.webp"}
    assert planned(["a.jpg"], "v1.2", webp) == {"a.jpg v1.2.webp"}
    assert planned(["a.jpg"], "b.WEBP", webp) == {"a.jpg b.WEBP"}


def test_without_an_ending_an_output_is_a_folder(tree: Path) -> None:
    assert planned(["a.jpg"], "larger") == {"a.jpg larger/a.jpg"}
    assert planned(["a.jpg"], "v1.2") == {"a.jpg v1.2/a.jpg"}
    assert planned(["-"], "larger") == {"- larger"}


def test_a_folder_that_may_not_be_read_is_reported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> Any:
        if Path(path).name == "er":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    folder = Path("deep/er")
    with pytest.raises(UsageError, match="deep/er may not be read"):
        plan(["deep/er"], "out", NAMING, recursive=True)
    assert {route.source for route in plan(["deep"], "out", NAMING, recursive=True)} == {Path("deep/a.jpg"), folder}
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="deep/er may not be read; check its permissions"):
        formats.read(folder)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no images or videos in") as raised:
        plan([str(tmp_path)], None, NAMING, recursive=False)
    assert raised.value.cures == ()
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/a.jpg").touch()
    with pytest.raises(UsageError, match="no images or videos in") as raised:
        plan([str(tmp_path)], None, NAMING, recursive=False)
    assert raised.value.cures == (Use(recursive=True),)


def test_what_systems_put_into_folders_is_passed_over_also_among_named_files(tree: Path) -> None:
    for name in ("Thumbs.db", "desktop.ini", "._a.jpg", "@eaDir/a.jpg", "__MACOSX/a.jpg", ".thumbnails/a.jpg", "a.xmp"):
        Path("deep", name).parent.mkdir(exist_ok=True)
        Path("deep", name).touch()
    assert planned(["deep"], "out", recursive=True) == {"deep/a.jpg out/a.jpg", "deep/er/c.webp out/er/c.webp"}
    named = ["deep/Thumbs.db", "deep/._a.jpg", "deep/@eaDir", "deep/a.jpg"]
    assert planned(named, "out") == {"deep/a.jpg out/a.jpg"}


def test_files_that_are_not_expected_are_passed_over_among_others_and_mentioned(tree: Path) -> None:
    Path("a.json").write_text("{}")
    Path("Thumbs.db").touch()
    named = ["b.PNG", "notes.txt", "a.json", "Thumbs.db", "deep"]
    assert planned(named, "out") == {"b.PNG out/b.PNG", "deep/a.jpg out/a.jpg"}
    assert find_unplanned(named, "out", recursive=True) == ([Path("notes.txt"), Path("a.json")], [])
    assert find_unplanned(["notes.txt"], None, recursive=False) == ([], [])
    assert planned(["notes.txt", "a.json"], "out") == {"notes.txt out/notes.png", "a.json out/a.png"}


def test_folders_that_are_not_searched_are_mentioned(tree: Path) -> None:
    Path("texts").mkdir()
    Path("texts/a.txt").touch()
    assert find_unplanned(["."], "out", recursive=False).unsearched == [Path("deep")]
    assert find_unplanned(["."], "deep", recursive=False).unsearched == []
    assert find_unplanned(["."], "out", recursive=True).unsearched == []


def test_what_is_not_read_is_planned_but_in_nobodys_way(tree: Path) -> None:
    for name in ("a.heic", "a.PSD", "b.NEF", "scan.pdf"):
        Path("deep", name).touch()
    routes = plan(["deep"], "out", Naming(None, "-x2", ".png"), recursive=False)
    assert {route.source.name for route in routes} == {"a.jpg", "a.heic", "a.PSD", "b.NEF", "scan.pdf"}


def test_links_to_folders_are_followed_once(tree: Path) -> None:
    Path("deep/loop").symlink_to(tree / "deep", target_is_directory=True)
    Path("other").mkdir()
    Path("other/z.png").touch()
    Path("deep/other").symlink_to(tree / "other", target_is_directory=True)
    Path("deep/broken.png").symlink_to("nowhere")
    sources = {route.source.as_posix() for route in plan(["deep"], "out", NAMING, recursive=True)}
    assert sources == {"deep/a.jpg", "deep/er/c.webp", "deep/other/z.png", "deep/broken.png"}


def test_only_cures_that_work_are_given_for_two_results_of_one_name(tree: Path) -> None:
    Path("deep/a.png").touch()
    with pytest.raises(UsageError, match=r"deep/a\.jpg and deep/a\.png would both become") as raised:
        plan(["deep"], "out", Naming(None, "-x2", ".png"), recursive=False)
    assert raised.value.cures == (Use(ext=LEAVE_OUT), Use(keep_ending=True))
    with pytest.raises(UsageError, match="would both become") as raised:
        plan(["a.jpg", "deep/a.jpg"], "out", NAMING, recursive=False)
    assert raised.value.cures == (Use(output=LEAVE_OUT),)


def test_one_file_by_two_names_is_one_source(tree: Path) -> None:
    assert len(plan(["a.jpg", str(tree / "a.jpg"), "deep/../a.jpg"], "out", NAMING, recursive=False)) == 1


def test_options_are_those_of_the_kind_where_both_kinds_are_planned(tree: Path) -> None:
    Path("deep/v.y4m").write_bytes(b"YUV4MPEG2 W2 H2 F25:1\nFRAME\n")
    images, videos = ImageOptions(quality=3), VideoOptions(crf=30)
    still = Task("a.jpg", "b.jpg", image=images, video=videos)
    moving = Task("deep/v.y4m", "b.mkv", image=images, video=videos)
    assert fit_options([still]) == [still]
    assert fit_options([still, moving]) == [replace(still, video=None), replace(moving, image=None)]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("con.png", "CON, the name of a device"),
        ("Com1.tar.png", "COM1, the name of a device"),
        ("a:b.png", "the character ':'"),
        ("a\nb.png", "the character"),
        ("a.png ", "a space or dot at the end"),
        ("contact.png", None),
        ("com.png", None),
        ("größe 50%.png", None),
    ],
)
def test_names_that_windows_cannot_store_are_known(name: str, fault: str | None) -> None:
    found = find_windows_fault(name)
    assert (found is None) == (fault is None)
    assert fault is None or fault in str(found)


def test_a_name_that_windows_cannot_store_is_an_error_there(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match=r"Windows cannot store nul\.png: it has NUL, the name of a device"):
        plan(["a.jpg"], "nul.png", NAMING, recursive=False)


@pytest.mark.parametrize("output", [None, "larger"])
@pytest.mark.parametrize("recursive", [False, True])
def test_a_link_to_itself_in_a_folder_is_one_bad_file(tree: Path, output: str | None, recursive: bool) -> None:
    for name in ("itself.png", "deep/itself.png"):
        Path(name).symlink_to(Path(name).name)
    found = {route.source.as_posix() for route in plan(["."], output, NAMING, recursive=recursive)}
    assert {"a.jpg", "itself.png"} <= found
    assert ("deep/itself.png" in found) == recursive
    assert find_unplanned(["."], output, recursive=False).unsearched == [Path("deep")]


@pytest.mark.skipif(os.name == "nt", reason="devices and FIFOs are POSIX's")
def test_a_device_or_fifo_as_output_is_refused_with_the_pipe_as_cure(tree: Path) -> None:
    os.mkfifo("fifo.png")
    for output in ("/dev/null", "/dev/stdout", "fifo.png"):
        with pytest.raises(UsageError, match=f"{output} is a device or a pipe") as caught:
            plan(["a.jpg"], output, NAMING, recursive=False)
        assert caught.value.cures == (Use(output="-"),)
