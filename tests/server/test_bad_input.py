"""Files that are not what they seem, damaged, or too large: a failed job that says so, soon, and never a 500."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server.conftest import Users, png
from tests.server.running import Client, check_problem, previewed
from tests.video.videos import make, moving_frames


def failure(client: Client, content: bytes, name: str = "photo.jpg", **submission: Any) -> str:
    """The message with which the job of a file fails."""
    job = client.ended(client.job(content, name, **submission)["id"])
    assert job["state"] == "failed", job
    text: str = job["error"]
    for secret in ("Traceback", "/source", "uploads", "/tmp"):
        assert secret not in text
    check_problem(client.get(f"jobs/{job['id']}/result"), 409, "failed")
    assert client.delete(f"jobs/{job['id']}").status_code == 204
    return text


def an_archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.png", png())
    return content.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def forged_png(width: int, height: int) -> bytes:
    """A PNG whose header announces any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def an_animation(frames: int) -> bytes:
    content = io.BytesIO()
    images = [Image.new("P", (8, 8), n % 7) for n in range(frames)]
    images[0].save(content, "GIF", save_all=True, append_images=images[1:], duration=40, optimize=False)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"<!doctype html><html><script>alert(1)</script></html>", "HTML"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
        (an_archive(), "ZIP"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", ""),
        (b"concat:/etc/passwd|/etc/hosts", ""),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", ""),
        (b"\0", ""),
        (bytes(1000), ""),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n", ""),
    ],
)
def test_other_files_are_named(client: Client, content: bytes, word: str) -> None:
    text = failure(client, content)
    assert word.lower() in text.lower()
    assert "root:" not in text


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_a_cut_image_is_a_failed_job_or_a_result(client: Client, kind: str, share: float) -> None:
    content = io.BytesIO()
    Image.open(io.BytesIO(png(40, 40))).save(content, kind)
    cut = content.getvalue()[: int(len(content.getvalue()) * share)]
    job = client.ended(client.job(cut, f"a.{kind.lower()}")["id"])
    assert job["state"] in {"done", "failed"}
    assert job["state"] == "done" or "Traceback" not in job["error"]


def test_a_cut_video_is_a_failed_job_or_a_result(client: Client, tmp_path: Path) -> None:
    whole = make(tmp_path / "v.mkv", moving_frames(4), sounds=1).read_bytes()
    for share in (0.1, 0.7):
        job = client.ended(client.job(whole[: int(share * len(whole))], "v.mkv")["id"])
        assert job["state"] in {"done", "failed"}
        assert job["state"] == "done" or "Traceback" not in job["error"]


@pytest.mark.parametrize("size", [(64000, 64000), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (16000, 4001)])
def test_a_forged_header_is_refused_before_it_is_decoded(client: Client, size: tuple[int, int]) -> None:
    begun = time.monotonic()
    failure(client, forged_png(*size), "a.png")
    assert time.monotonic() - begun < 20


def test_the_number_of_pixels_is_in_the_message(client: Client) -> None:
    assert "64,016,000" in failure(client, forged_png(16000, 4001), "a.png")


def test_limits_of_images_are_met_from_both_sides(strict: Users) -> None:
    client = strict.ada
    # Its result has more pixels than a source may have, and previews nevertheless.
    assert previewed(client, client.job(png(100, 100), task={"size": {"scale": 2}})["id"])["state"] == "done"
    text = failure(client, png(100, 101), task={"size": {"scale": 1.5}})
    assert "10,100" in text
    assert "10,000" in text
    text = failure(client, png(100, 100), task={"size": {"scale": 2.01}})
    assert "40,401" in text
    assert "40,000" in text
    text = failure(client, png(8, 8), task={"size": {"width": 100000}})
    assert "40,000" in text
    assert client.ended(client.job(an_animation(5), "a.gif")["id"])["state"] == "done"
    text = failure(client, an_animation(6), "a.gif")
    assert "6 frames" in text
    assert "5" in text


def test_limits_of_videos_are_met_from_both_sides(strict: Users, tmp_path: Path) -> None:
    client = strict.ada
    whole = make(tmp_path / "a.mkv", moving_frames(25)).read_bytes()
    assert client.ended(client.job(whole, "a.mkv")["id"])["state"] == "done"
    long = make(tmp_path / "b.mkv", moving_frames(3), times=[0, 40, 3_000]).read_bytes()
    text = failure(client, long, "b.mkv")
    assert "3 seconds" in text
    assert "takes 1" in text
    wide = make(tmp_path / "c.mkv", moving_frames(2, 40, 62)).read_bytes()
    assert "62 x 40" in failure(client, wide, "c.mkv")


def test_a_video_that_claims_a_hundred_hours_is_refused(client: Client, tmp_path: Path) -> None:
    claimed = make(tmp_path / "a.mkv", moving_frames(2), times=[0, 360_000_000]).read_bytes()
    assert "360000 seconds" in failure(client, claimed, "a.mkv").replace(",", "")


def test_an_animation_of_many_frames_is_refused(client: Client) -> None:
    assert "1001 frames" in failure(client, an_animation(1001), "a.gif").replace(",", "")
