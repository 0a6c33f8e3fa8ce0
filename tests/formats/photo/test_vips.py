"""libvips' messages."""

from __future__ import annotations

import pytest

from hyperacuity.formats.photo import vips


@pytest.mark.parametrize("generic", ["", "jpegload_source: load error\n"])
def test_the_informative_line_of_libvips_is_shown_whatever_its_threads_add(generic: str) -> None:
    error = Exception(f"unable to write to memory\n  VipsJpeg: premature end of JPEG image\n{generic}")
    assert vips.reason(error) == "VipsJpeg: premature end of JPEG image"
    assert vips.reason(Exception("unable to write to memory\njpegload_source: load error\n")).endswith("load error")
    assert vips.reason(Exception("unable to write to memory\n")) == "its pixels cannot be decoded"
