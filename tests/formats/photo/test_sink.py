"""A file is written completely or not at all; encoders may start before the last row."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperacuity import formats
from hyperacuity.errors import UsageError
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import spool, vips
from hyperacuity.image import Array, Image, Metadata, Strips
from hyperacuity.storage import Partial
from tests.formats.samples import (
    Animated,
    exif_block,
    gradient,
    load,
    noise,
    save,
)


def stop_after_a_whole_image(path: Path, error: type[BaseException]) -> None:
    with formats.write(path, None) as sink:
        sink.write(gradient().strips())
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_an_exception_leaves_everything_as_it_was(
    error: type[BaseException], memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MEMORY", memory)
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def rows() -> Iterator[Array]:
        yield gradient().pixels[:10]
        raise error

    with pytest.raises(error), formats.write(path, None) as sink:
        sink.write(Strips(gradient().header, rows()))
    with pytest.raises(error):
        stop_after_a_whole_image(path, error)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.png"]


def test_missing_and_surplus_rows_are_refused(tmp_path: Path) -> None:
    header = gradient().header
    for rows in (gradient().pixels[:-1], np.tile(gradient().pixels, (2, 1, 1)), gradient().pixels[:, :-1]):
        with pytest.raises(UsageError, match=r"[rR]ows"), formats.write(tmp_path / "a.png", None) as sink:
            sink.write(Strips(header, [rows]))
    with pytest.raises(UsageError, match="no image"):
        save(tmp_path / "a.png")
    assert not os.listdir(tmp_path)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Partial, data: bytes | memoryview) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Partial, "write", full)
    with pytest.raises(UsageError, match="disk is full"):
        save(tmp_path / "a.jpg", gradient())
    monkeypatch.setattr(spool, "MEMORY", 0)
    with pytest.raises(UsageError, match="disk is full"):
        save(tmp_path / "a.png", gradient())
    assert not os.listdir(tmp_path)


def test_a_caller_may_keep_fewer_rows_in_memory(tmp_path: Path) -> None:
    image = gradient()
    save(tmp_path / "a.tif", image)
    with spool.keeping(image.header.nbytes - 1):
        save(tmp_path / "b.tif", image)
        rows = spool.Spool(tmp_path / "c")
        assert rows.add(image.header, iter([image.pixels])).pixels is None
        rows.discard()
    assert spool.Spool(tmp_path / "d").add(image.header, iter([image.pixels])).pixels is not None
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


SINGLE: Any = Animated(1, None, ".png")  # a single frame: its encoder need not wait for the end


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 300),
    channels=st.integers(1, 4),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    suffix=st.sampled_from([".png", ".jpg"]),
    strip=st.integers(1, 300),
)
@pytest.mark.filterwarnings("ignore::hyperacuity.LossWarning")
def test_encoding_while_rows_arrive_gives_the_same_file(
    height: int, width: int, channels: int, dtype: Any, suffix: str, strip: int, tmp_path: Path
) -> None:
    pixels = noise(channels, dtype, height, width)
    image = Image.from_pixels(pixels, alpha=channels in (2, 4), metadata=Metadata(exif=exif_block(), dpi=(300, 300)))
    paths = [tmp_path / f"{name}{suffix}" for name in ("at-once", "following")]
    for path, like in zip(paths, (None, SINGLE), strict=True):
        with formats.write(path, like) as sink:
            sink.write(Strips(image.header, (pixels[top : top + strip] for top in range(0, height, strip))))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_encoder_begins_before_the_last_row(tmp_path: Path) -> None:
    pixels = noise(height=1200, width=900)
    written: list[int] = []

    def rows() -> Iterator[Array]:
        yield pixels[:1000]
        (partial,) = tmp_path.iterdir()
        deadline = time.monotonic() + 30
        while not partial.stat().st_size and time.monotonic() < deadline:
            time.sleep(0.01)
        written.append(partial.stat().st_size)
        yield pixels[1000:]

    with formats.write(tmp_path / "a.png", SINGLE) as sink:
        sink.write(Strips(Image.from_pixels(pixels).header, rows()))
    assert written[0] > 0
    np.testing.assert_array_equal(load(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, None])
def test_a_streaming_encoder_ends_with_the_sink(
    error: type[BaseException] | None, suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = noise(height=600, width=300)

    def rows() -> Iterator[Array]:
        yield pixels[:500]
        if error is not None:
            raise error

    expected = error or UsageError
    with pytest.raises(expected), formats.write(tmp_path / f"a{suffix}", SINGLE) as sink:
        sink.write(Strips(Image.from_pixels(pixels).header, rows()))
    assert not os.listdir(tmp_path)
    assert capfd.readouterr().err == ""


def test_a_disk_that_is_full_while_rows_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Partial, "write", functools.partial(_raise, OSError(errno.ENOSPC, "No space left on device")))
    monkeypatch.setattr(vips, "target", functools.partial(_raise, OSError(errno.ENOSPC, "No space left on device")))
    for name in ("a.png", "a.jpg"):
        with pytest.raises(UsageError, match="disk is full"):
            save(tmp_path / name, gradient(), like=SINGLE)
    assert not os.listdir(tmp_path)


def _raise(error: BaseException, *_: object) -> Any:
    raise error


def test_without_memory_the_rows_wait_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise MemoryError

    image = gradient()
    with formats.write(tmp_path / "a.png", None) as sink, monkeypatch.context() as patch:
        patch.setattr(np, "empty", none)
        sink.write(image.strips())
    assert os.listdir(tmp_path) == ["a.png"]
    np.testing.assert_array_equal(next(iter(formats.read(tmp_path / "a.png"))).pixels, image.pixels)


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from hyperacuity import formats
from hyperacuity.errors import UsageError
from hyperacuity.image import Image
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
image = Image.from_pixels(np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8))
for suffix in (".png", ".jpg", ".tif", ".webp", ".avif", ".bmp", ".ppm", ".gif"):
    try:
        with formats.write(Path(sys.argv[1], "a" + suffix), None, quality=100) as sink:
            sink.write(image.strips())
    except UsageError as error:
        assert "was not written" in str(error) and "full" in str(error), error
    else:
        raise SystemExit(suffix + " was written")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits need POSIX")
def test_a_file_that_cannot_grow_is_an_error_and_is_removed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED, str(tmp_path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_forbidden_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="no permission"):
        save(tmp_path / "a.png", gradient())


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        save(tmp_path / "none" / "a.png", gradient())
    (tmp_path / "a.png").mkdir()
    with pytest.raises(UsageError, match="a folder is in place"), formats.write(tmp_path / "a.png", None):
        pytest.fail("work would begin here")


def test_links_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "real" / "a.png")
    save(link, gradient())
    assert link.is_symlink()
    assert load(tmp_path / "real" / "a.png").header.shape == (48, 64, 3)


def test_output_may_replace_its_own_input(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save(path, gradient())
    with formats.read(path) as source, formats.write(path, source) as sink:
        for image in source:
            sink.write(image.strips())
    np.testing.assert_array_equal(load(path).pixels, gradient().pixels)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".gif", ".bmp", ".pgm"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_strange_names(suffix: str, in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_memory:
        monkeypatch.setattr(spool, "MEMORY", 0)
    for name in ("a b", "[n=2]", "a[page=1,dpi=3]", "100%d%s", "ünï-名前", "-q", "x" * 240, os.fsdecode(b"\xff\xfe")):
        path = tmp_path / (name + suffix)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LossWarning)
            save(path, Image.from_pixels(gradient().pixels[..., :1]))
        assert os.listdir(tmp_path) == [path.name]
        assert load(path).header.shape[:2] == (48, 64)
        path.unlink()


@pytest.mark.parametrize(
    ("suffix", "height", "width", "words"),
    [
        (".jpg", 10, 65501, "65501 × 10 pixels are more than JPEG holds .65500 a side.; write to .png or .tif instead"),
        (".webp", 16384, 10, "more than WebP holds .16383 a side.; write to .png or .tif instead"),
        (".avif", 16385, 10, "more than AVIF holds .16384 a side."),
        (".gif", 65536, 10, "more than GIF holds .65535 a side."),
        (".bmp", 40_000, 40_000, "more than BMP holds .3900000000 bytes."),
        (".png", 10, 100_000_001, "more than PNG holds .100000000 a side.; write to .tif"),
        (".tif", 1 << 20, 1 << 30, "take 3145728.0 GiB on its disk while they are encoded, and .* GiB are free"),
        (".png", 1 << 20, 1 << 26, "take 196608.0 GiB on its disk"),
        (".ppm", 1 << 20, 1 << 26, "take 196608.0 GiB on its disk"),
    ],
)
def test_what_no_file_or_disk_holds_is_refused_before_its_first_row(
    suffix: str, height: int, width: int, words: str, tmp_path: Path
) -> None:
    def rows() -> Iterator[Array]:
        raise AssertionError("a row was asked for")
        yield

    with pytest.raises(UsageError, match=words), formats.write(tmp_path / f"a{suffix}", None) as sink:
        sink.write(Strips(gradient().header.resized(height, width), rows()))
    assert not list(tmp_path.iterdir())
