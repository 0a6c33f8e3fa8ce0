"""What libvips and GLib print by themselves never reaches the terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
