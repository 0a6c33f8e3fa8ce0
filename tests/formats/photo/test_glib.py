"""What libvips, GLib and libtiff print by themselves never reaches the terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

# Each makes GLib or libvips warn: a value out of range, and a message of libvips' own domain.
WARNINGS = {
    "GLib-GObject": "pyvips.Image.black(4, 4).webpsave_buffer(Q=1000)",
    "VIPS": "import logging; logging.getLogger('pyvips').warning('VIPS: ignoring profile')",
}


@pytest.mark.parametrize("code", WARNINGS.values(), ids=WARNINGS.keys())
@pytest.mark.parametrize("begun", ["read", "write"])
def test_warnings_of_libraries_do_not_reach_the_terminal(code: str, begun: str, tmp_path: Path) -> None:
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    first = {
        "read": "next(iter(formats.read(path)))",
        "write": (
            "sink = formats.write(path.with_name('b.jpg'), None)\n"
            "with sink: sink.write(Image.from_pixels(numpy.zeros((8, 8, 3), 'u1'), levels=None).strips())"
        ),
    }[begun]
    program = (
        "import pathlib, sys, numpy\nfrom hyperacuity import formats\nfrom hyperacuity.image import Image\n"
        f"path = pathlib.Path(sys.argv[1])\n{first}\nimport pyvips\ntry: {code}\nexcept pyvips.Error: pass\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "a.jpg"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "")


def test_errors_of_libtiff_do_not_reach_the_terminal(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile", reason="needs tifffile to write TIFF with ZSTD")
    pytest.importorskip("imagecodecs", reason="needs imagecodecs to write TIFF with ZSTD")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16, 3), np.uint8), compression="zstd")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        at = file.pages[0].dataoffsets[0]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.tif").write_bytes(data)
    program = (
        "import pathlib, sys\nfrom hyperacuity import errors, formats\n"
        "try: list(formats.read(pathlib.Path(sys.argv[1])))\nexcept errors.DamagedFile as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "a.tif"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "is damaged: its pixels cannot be decoded" in result.stdout
