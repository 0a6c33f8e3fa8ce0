"""Opening and creating files: which format, and which error."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat, UsageError
from tests.formats.samples import (
    encoded,
)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", DamagedFile, "is empty"),
        (b"  <!DOCTYPE html><html>", UnsupportedFormat, "an HTML page"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", UnsupportedFormat, "SVG"),
        (b"PK\3\4\0\0", UnsupportedFormat, "ZIP"),
        (b"%PDF-1.7\n", UnsupportedFormat, "PDF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", UnsupportedFormat, "video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", UnsupportedFormat, r"a raw camera file \(CR3\): develop it into a TIFF"),
        (b"FUJIFILMCCD-RAW 0201", UnsupportedFormat, r"a raw camera file \(RAF\): develop it"),
        (b"IIRO\x08\0\0\0", UnsupportedFormat, r"a raw camera file \(ORF\): develop it"),
        (b"IIU\0\x18\0\0\0", UnsupportedFormat, r"a raw camera file \(RW2\): develop it"),
        (b"8BPS\0\1", UnsupportedFormat, "Photoshop document .PSD.; save a flattened copy"),
        (b"8BPS\0\2", UnsupportedFormat, "large Photoshop document .PSB."),
        (b"gimp xcf v011\0", UnsupportedFormat, "a GIMP document"),
        (b"PK\3\4" + b"\0" * 26 + b"mimetypeapplication/x-krita", UnsupportedFormat, "a Krita document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", UnsupportedFormat, "PostScript"),
        (b"AT&TFORM\0\0\0\0DJVU", UnsupportedFormat, "DjVu"),
        (b"\xd7\xcd\xc6\x9a\0\0", UnsupportedFormat, "WMF"),
        (b"#?RADIANCE\n", UnsupportedFormat, "Radiance HDR"),
        (b"v/1\1\2\0\0\0", UnsupportedFormat, "OpenEXR"),
        (b"\0\0\1\0\1\0", UnsupportedFormat, "an icon"),
        (b"\0\0\2\0\1\0", UnsupportedFormat, "a cursor"),
        (b"\0\0\2\0\0\0\0\0\0\0\0\0\x40\0\x30\0\x18\0", UnsupportedFormat, "a TGA image; convert it to PNG"),
        (b"\0\1\x09\0\0\0\1\x18\0\0\0\0\x40\0\x30\0\x08\0", UnsupportedFormat, "a TGA image"),
        (b"\0" * 128 + b"DICM", UnsupportedFormat, "DICOM"),
        (b"\x5c\1\0\0" + b"\0" * 340 + b"n+1\0", UnsupportedFormat, "NIfTI"),
        (
            gzip.compress(b"\x5c\1\0\0" + b"\0" * 340 + b"n+1\0", mtime=0),
            UnsupportedFormat,
            "a gzip archive of a NIfTI",
        ),
        (gzip.compress(b"hello", mtime=0), UnsupportedFormat, "a gzip archive; unpack it"),
        (b"SIMPLE  =                    T", UnsupportedFormat, "FITS"),
        (b"Rar!\x1a\7\0", UnsupportedFormat, "RAR"),
        (b"\0\5\x16\7\0\2\0\0", UnsupportedFormat, "AppleDouble"),
        (b"\0" * 4096, UnsupportedFormat, "filled with zero bytes"),
        (b"hello\n", UnsupportedFormat, "text"),
        (b"\0\1\2\3\4\5\6\7", UnsupportedFormat, "of an unknown format"),
    ],
)
def test_foreign_content_is_named(content: bytes, error: type[Exception], words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        formats.read(path)
    assert str(path) in str(caught.value)
    with pytest.raises(error, match=words):
        formats.read(content)


def test_paths_that_are_not_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        formats.read(tmp_path / "none.png")
    with pytest.raises(UsageError, match="is a folder; give a file") as caught:
        formats.read(tmp_path)
    assert "cannot be opened" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be opened"):
        formats.read(Path("a\0b.png"))


def test_unknown_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"Did you mean '\.jpeg'\?"):
        formats.write(tmp_path / "a.jpeh", None)
    with pytest.raises(UnsupportedFormat, match="has no ending"):
        formats.write(tmp_path / "a", None)
    assert formats.knows(Path("A.JPG"))
    assert not formats.knows(Path("a.txt"))
    with pytest.raises(UnsupportedFormat, match="is a folder"):
        formats.write(tmp_path, None)


def test_formats_that_are_only_read_are_readable_by_name() -> None:
    assert formats.readable(Path("A.JPG"))
    assert formats.readable(Path("a.jp2"))
    assert not formats.knows(Path("a.jp2"))
    assert not formats.readable(Path("a.txt"))


def test_the_content_and_not_the_name_decides_the_format(tmp_path: Path) -> None:
    path = tmp_path / "really.jpg"
    path.write_bytes(encoded("PNG"))
    with formats.read(path) as source:
        assert source.suffix == ".png"


def test_messages_end_without_a_full_stop(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(encoded("PNG")[:-40])
    (tmp_path / "empty.png").touch()
    for path in (tmp_path, *tmp_path.iterdir(), tmp_path / "none.png"):
        with pytest.raises(HyperacuityError) as caught:
            list(formats.read(path))
        assert not str(caught.value).endswith(".")
        assert str(caught.value).startswith(str(path))


def test_codecs_are_loaded_when_they_are_needed() -> None:
    code = "import sys, hyperacuity.formats; print([name for name in ('pyvips', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_format_that_is_only_read_names_others_to_write(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"JPEG 2000 is read and not written; write to \.png or \.tif"):
        formats.write(tmp_path / "a.jp2", None)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_itself_is_a_broken_link(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("a.png")
    with pytest.raises(UsageError, match=r"a\.png is a broken link: it leads to itself"):
        formats.read(tmp_path / "a.png")
