from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hyperacuity.errors import OTHER, UsageError, Use
from hyperacuity.storage import Partial, may_write, storing, whole, write_whole

Write = Callable[[Path, bytes], None]
posix = pytest.mark.skipif(sys.platform == "win32", reason="has POSIX permissions")


def by_whole(path: Path, data: bytes) -> None:
    with whole(path) as temporary:
        assert temporary.parent == path.resolve().parent  # on the same disk
        temporary.write_bytes(data)


def by_partial(path: Path, data: bytes) -> None:
    partial = Partial(path)
    try:
        partial.write(data[:2])
        partial.write(memoryview(data)[2:])
        partial.commit()
    finally:
        partial.discard()


each_way = pytest.mark.parametrize("write", [write_whole, by_whole, by_partial])


def content(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@each_way
@pytest.mark.parametrize("data", [b"", b"abc", bytes(1 << 20)])
def test_a_file_holds_what_was_written(write: Write, data: bytes, tmp_path: Path) -> None:
    write(tmp_path / "a", data)
    assert content(tmp_path) == {"a": data}
    write(tmp_path / "a", b"new")
    assert content(tmp_path) == {"a": b"new"}


@each_way
def test_the_data_is_on_the_disk_before_the_file_is_in_its_place(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    replace = os.replace

    def recorded_replace(old: Path, new: Path) -> None:
        steps.append("replace")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", lambda number: steps.append(f"fsync {os.fstat(number).st_size}"))
    monkeypatch.setattr(os, "replace", recorded_replace)
    write(tmp_path / "a", b"12345")
    assert steps == ["fsync 5", "replace"]


@each_way
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    write: Write, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(UsageError, match="the disk is full"), storing(tmp_path / "a"):
        write(tmp_path / "a", b"new")
    assert content(tmp_path) == {"a": b"old"}


@pytest.mark.skipif(sys.platform != "linux", reason="has no /dev/full, nor limits on the size of a file")
def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from pathlib import Path; from hyperacuity.storage import storing, write_whole;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "path = Path(sys.argv[1])\nwith storing(path): write_whole(path, bytes(5000))"
    )
    path = tmp_path / "a"
    path.write_bytes(b"old")
    answer = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    assert "the disk is full" in answer.stderr
    assert content(tmp_path) == {"a": b"old"}


@pytest.mark.parametrize(
    "way",
    [
        "partial = storage.Partial(path); partial.write(b'new')",
        "context = storage.whole(path); context.__enter__().write_bytes(b'new')",
    ],
)
def test_a_killed_process_leaves_the_old_file(way: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    program = (
        f"import os, sys; from pathlib import Path; from hyperacuity import storage; path = Path(sys.argv[1]); {way}"
    )
    subprocess.run([sys.executable, "-c", f"{program}; os._exit(9)", str(path)], check=False)
    left = content(tmp_path)
    assert left.pop("a") == b"old"
    assert [re.fullmatch(r"\.a\.[0-9a-f]{8}\.part", name) is not None for name in left] == [True]
    # A process that ends normally removes them.
    subprocess.run([sys.executable, "-c", f"{program}; storage.abandon(); os._exit(9)", str(path)], check=False)
    assert len(content(tmp_path)) == 2


@each_way
def test_a_link_is_followed(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "real").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(folder / "real")
    write(link, b"new")
    assert link.is_symlink()
    assert content(folder) == {"real": b"new"}
    dangling = tmp_path / "dangling"
    dangling.symlink_to(folder / "fresh")
    write(dangling, b"more")
    assert (folder / "fresh").read_bytes() == b"more"


@each_way
@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, ".hidden", "with space.jpg"])
def test_every_name_that_the_file_system_allows(write: Write, name: str, tmp_path: Path) -> None:
    write(tmp_path / name, b"data")
    assert content(tmp_path) == {name: b"data"}


@each_way
def test_a_folder_in_place_of_the_file_stays(write: Write, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "a", b"data")
    with pytest.raises(UsageError, match="a folder is in place"), storing(tmp_path / "a"):
        write(tmp_path / "a", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@posix
@each_way
def test_permissions_are_those_that_open_gives(write: Write, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new", b"data")
        (tmp_path / "opened").write_bytes(b"data")
        existing = tmp_path / "existing"
        existing.write_bytes(b"data")
        for mode in (0o600, 0o664, 0o444):
            existing.chmod(mode)
            write(existing, b"more")
            assert existing.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "opened").stat().st_mode


def test_an_error_inside_the_context_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail() -> None:
        with whole(tmp_path / "a") as temporary:
            temporary.write_bytes(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert content(tmp_path) == {"a": b"old"}


def test_discarding_after_a_commit_changes_nothing(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "a")
    partial.write(b"data")
    partial.commit()
    partial.discard()
    assert content(tmp_path) == {"a": b"data"}
    other = Partial(tmp_path / "a")
    other.discard()
    other.discard()
    assert content(tmp_path) == {"a": b"data"}


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EFBIG, "the disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
        (errno.ENOENT, "does not exist; create it first"),
        (errno.ENOTDIR, "a file in place of a folder"),
        (errno.EIO, "input/output error"),
    ],
)
def test_each_error_of_the_file_system_has_its_cure(number: int, message: str) -> None:
    path = Path("folder", "a.png")
    with pytest.raises(UsageError, match=message) as raised, storing(path):
        raise OSError(number, os.strerror(number))
    assert str(raised.value).startswith(f"{path} was not written: ")
    with pytest.raises(BrokenPipeError), storing(path):
        raise BrokenPipeError


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none does not exist"), storing(tmp_path / "none/a"):
        write_whole(tmp_path / "none/a", b"data")


def test_an_input_is_never_overwritten_and_a_file_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "a"
    may_write(path, None, force=False)
    path.write_bytes(b"data")
    with pytest.raises(UsageError, match="a exists") as raised:
        may_write(path, tmp_path / "b", force=False)
    assert raised.value.cures == (Use(output=OTHER), Use(force=True))
    may_write(path, tmp_path / "b", force=True)
    (tmp_path / "same").hardlink_to(path)
    for source in (path, tmp_path / "same"):
        with pytest.raises(UsageError, match="is the input"):
            may_write(path, source, force=True)
