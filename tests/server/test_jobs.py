"""Jobs over HTTP: submitting, watching, cancelling, removing; equal bytes to the command line's."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.cli import process
from tests.formats import samples
from tests.server.conftest import Users, png
from tests.server.running import TUS, Client, Server, check_problem, previewed
from tests.video.videos import make, moving_frames


def an_animation(folder: Path) -> Path:
    frames = [Image.new("RGB", (30, 20), (n * 60, 10, 200 - n * 40)) for n in range(3)]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:], duration=[40, 80, 120], loop=2)
    return folder / "a.gif"


def a_png_called_jpg(folder: Path) -> Path:
    (folder / "liar.jpg").write_bytes(png())
    return folder / "liar.jpg"


def sixteen_bits_with_alpha(folder: Path) -> Path:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(folder / "deep.tif", samples.noise(4, np.uint16), photometric="rgb", extrasamples=[2])
    return folder / "deep.tif"


def a_photo_with_exif(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    Image.open(io.BytesIO(png(30, 40))).save(folder / "p.jpg", quality=95, exif=exif, icc_profile=samples.ICC)
    return folder / "p.jpg"


def a_video_with_sound(folder: Path) -> Path:
    return make(folder / "v.mkv", moving_frames(6), codec="mpeg4", sounds=1, title="Title")


@pytest.mark.parametrize(
    "source", [an_animation, a_png_called_jpg, sixteen_bits_with_alpha, a_photo_with_exif, a_video_with_sound]
)
def test_an_accepted_job_gives_the_bytes_of_the_command(
    client: Client, server: Server, tmp_path: Path, source: Callable[[Path], Path]
) -> None:
    path = source(tmp_path)
    wanted = path.with_stem("wanted")
    # A lossless codec: two runs of x264 on a busy machine may differ in a byte.
    video = {"codec": "ffv1"} if path.suffix == ".mkv" else {}
    codec = ("--codec", "ffv1") if video else ()
    made = process.run("upscale", path.name, "-s", "2", "-o", wanted.name, *codec, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    task = {"size": {"scale": 2}} | ({"video": video} if video else {})
    job = client.job(path.read_bytes(), path.name, task=task)
    done = client.ended(job["id"])
    assert done["state"] == "done", done
    assert done["result_name"] == f"{path.stem}-x2{path.suffix}"
    assert client.get(done["result"]).content == wanted.read_bytes()
    previewed(client, job["id"])
    for view in ("before", "after"):
        preview = client.get(f"jobs/{job['id']}/{view}")
        assert preview.headers["Content-Type"] == "image/jpeg"
        with Image.open(io.BytesIO(preview.content)) as image:
            assert image.size == tuple(done["outcome"]["after"][::-1])
    assert not [path.name for path in (server.data / "jobs" / job["id"]).iterdir() if path.name.startswith(".")]


def test_a_job_tells_its_course(client: Client) -> None:
    job = client.job(png(), "fox.png", task={"size": {"scale": 3}}, ending="jpg")
    assert job["state"] in {"waiting", "running"}
    assert job["name"] == "fox.png"
    done = client.ended(job["id"])
    assert done["progress"] == 1
    assert done["result_name"] == "fox-x3.jpg"
    assert done["outcome"]["after"] == [72, 96]
    assert 6.9 * 86400 < done["expires"] - time.time() < 7.1 * 86400
    assert "source" not in json.dumps(done).replace("resource", "")
    listed = client.get("jobs").json()["jobs"]
    assert listed[0]["id"] == job["id"]
    assert [each["id"] for each in client.get("jobs", params={"limit": 1}).json()["jobs"]] == [job["id"]]
    before = client.get("jobs", params={"before": done["created"]}).json()["jobs"]
    assert job["id"] not in [each["id"] for each in before]


@pytest.mark.parametrize(
    ("submission", "field"),
    [
        ({"task": {"size": {"scale": 0}}}, "task"),
        ({"task": {"size": {"scale": "two"}}}, "task"),
        ({"task": {"size": [2]}}, "task"),
        ({"task": {"size": None}}, "task"),
        ({"task": {"options": {"model": "accute"}}}, "task"),
        ({"task": {"options": {"modle": "fast"}}}, "task"),
        ({"task": {"options": [1]}}, "task"),
        ({"task": {"options": {"tile": -3}}}, "task"),
        ({"task": {"image": {"quality": "best"}}}, "task"),
        ({"task": {"options": {"model_path": "x.onnx"}}}, "task.options.model_path"),
        ({"task": {"video": {"encoder": {"x": "y"}}}}, "task.video.encoder"),
        ({"task": {"source": "x"}}, "task.source"),
        ({"task": {"target": "x"}}, "task.target"),
        ({"task": {"force": True}}, "task.force"),
        ({"task": {"nonsense": 1}}, "task"),
        ({"task": 3}, "task"),
        ({"ending": ".exe"}, "ending"),
        ({"priority": 11}, "priority"),
        ({"prority": 1}, "prority"),
    ],
)
def test_wrong_options_are_refused_with_their_field(client: Client, submission: object, field: str) -> None:
    upload = client.upload(png())
    answer = client.post("jobs", json={"upload": upload, **submission})  # type: ignore[dict-item]
    assert check_problem(answer, 422)["field"] == field


def test_the_nearest_model_is_named(client: Client) -> None:
    answer = client.submit(client.upload(png()), task={"options": {"model": "accute"}})
    check_problem(answer, 422, "Did you mean 'acute")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"nonsense", b"\xff\xfe"])
def test_malformed_bodies_are_refused(client: Client, body: bytes) -> None:
    answer = client.post("jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    check_problem(answer, answer.status_code)


def test_a_job_needs_a_complete_upload(client: Client) -> None:
    upload = client.create(100).headers["Location"].split("/")[-1]
    client.append(upload, 0, bytes(40))
    check_problem(client.submit(upload), 409, "40 of 100")
    check_problem(client.submit("0" * 32), 404)


def test_the_same_key_gives_the_same_job(client: Client) -> None:
    upload = client.upload(png())
    key = {"Idempotency-Key": upload}
    first, second = (client.submit(upload, headers=key).json()["id"] for _ in range(2))
    assert first == second
    assert client.submit(upload).json()["id"] != first


def test_cancelling_and_removing(idle: Callable[..., Server]) -> None:
    with idle().client() as client:
        upload = client.upload(png())
        job = client.submit(upload).json()
        assert job["state"] == "waiting"
        check_problem(client.delete(f"uploads/{upload}", headers=TUS), 409)
        assert client.job(png())["ahead"] == 1
        check_problem(client.get(f"jobs/{job['id']}/result"), 409, "waiting")
        check_problem(client.get(f"jobs/{job['id']}/before"), 409)
        check_problem(client.delete(f"jobs/{job['id']}"), 409, "cancel")
        assert client.post(f"jobs/{job['id']}/cancel").json()["state"] == "cancelled"
        check_problem(client.post(f"jobs/{job['id']}/cancel"), 409, "cancelled")
        assert client.delete(f"jobs/{job['id']}").status_code == 204
        for path in ("", "/events", "/result", "/before", "/after"):
            check_problem(client.get(f"jobs/{job['id']}{path}"), 404)
        check_problem(client.delete(f"jobs/{job['id']}"), 404)


def test_removing_a_job_removes_its_files(client: Client, server: Server) -> None:
    upload = client.upload(png())
    job = client.submit(upload).json()["id"]
    client.ended(job)
    assert client.delete(f"jobs/{job}").status_code == 204
    assert not (server.data / "jobs" / job).exists()
    assert not (server.data / "uploads" / upload).exists()


def test_the_short_way_gives_a_job_or_the_image_itself(client: Client) -> None:
    answer = client.post("upscale?scale=2&name=fox.png", content=png())
    assert answer.status_code == 202
    assert client.ended(answer.json()["id"])["result_name"] == "fox-x2.png"
    answer = client.post("upscale?scale=2&ending=webp", content=png(), headers={"Prefer": "wait=30"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (64, 48)


def test_waiting_ends_in_time_with_the_job(idle: Callable[..., Server]) -> None:
    with idle().client() as client:
        begun = time.monotonic()
        answer = client.post("upscale", content=png(), headers={"Prefer": "wait=1"})
        assert answer.status_code == 202
        assert answer.json()["state"] == "waiting"
        assert 0.9 < time.monotonic() - begun < 5


def test_the_short_way_refuses_what_is_wrong(client: Client) -> None:
    check_problem(client.post("upscale", content=iter([b"abc"])), 411)
    check_problem(client.post("upscale", content=b""), 400, "empty")
    check_problem(client.post("upscale?scale=0", content=png()), 422)
    check_problem(client.post("upscale?scale=nan", content=png()), 422)
    check_problem(client.post("upscale?model=nonsense", content=png()), 422)
    answer = client.raw(f"POST /v1/upscale HTTP/1.1\r\nContent-Length: {3 << 30}\r\n")
    assert answer.startswith("HTTP/1.1 413")  # before the body
    assert "2,147,483,648" in answer


def lines(answer: httpx.Response) -> list[tuple[int, str]]:
    """The numbers and kinds of the events of a stream."""
    found, number = [], 0
    for line in answer.iter_lines():
        key, _, value = line.partition(": ")
        if key == "id":
            number = int(value)
        elif key == "event":
            found.append((number, value))
    return found


def test_events_come_in_order_and_go_on_after_the_last(client: Client) -> None:
    job = client.job(png(60, 60))["id"]
    with client.stream("GET", f"jobs/{job}/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        found = lines(answer)
    kinds = [kind for _, kind in found if kind != "progress"]
    assert kinds == ["waiting", "running", "done"]
    with client.stream("GET", f"jobs/{job}/events", headers={"Last-Event-ID": str(found[0][0])}) as answer:
        assert lines(answer) == found[1:]
    # A browser that gets 204 does not connect again.
    assert client.get(f"jobs/{job}/events", headers={"Last-Event-ID": str(found[-1][0])}).status_code == 204


def test_results_come_in_parts(client: Client) -> None:
    job = client.ended(client.job(png())["id"])
    whole = client.get(job["result"])
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = client.get(job["result"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.content)}"
    tag = whole.headers["ETag"]
    assert client.get(job["result"], headers={"Range": "bytes=0-4", "If-Range": tag}).status_code == 206
    assert client.get(job["result"], headers={"Range": "bytes=0-4", "If-Range": '"other"'}).status_code == 200
    check_problem(client.get(job["result"], headers={"Range": "bytes=999999999-"}), 416)


def test_an_archive_has_every_result_under_a_name_of_its_own(client: Client) -> None:
    ids = [client.job(png(8, 8, seed), name)["id"] for seed, name in enumerate(("a.png", "a.png", "../A.png"))]
    for job in ids:
        client.ended(job)
    answer = client.get("jobs.zip", params={"id": ids})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["a-x2.png", "a-x2 (2).png", "A-x2 (3).png"]
        assert archive.testzip() is None
        assert archive.read("a-x2.png") == client.get(f"jobs/{ids[0]}/result").content
    check_problem(client.get("jobs.zip"), 422)
    check_problem(client.get("jobs.zip", params={"id": "0" * 32}), 404)


def test_the_number_of_waiting_jobs_is_limited(idle: Callable[..., Server]) -> None:
    with idle(config="max_waiting_jobs = 2").client() as client:
        upload = client.upload(png())
        key = {"Idempotency-Key": "first"}
        first = client.submit(upload, headers=key)
        assert [first.status_code, client.submit(upload).status_code] == [201, 201]
        answer = client.submit(upload)
        check_problem(answer, 429, "2")
        assert answer.headers["Retry-After"]
        assert client.submit(upload, headers=key).json()["id"] == first.json()["id"]


def test_others_things_are_not_there(strict: Users) -> None:
    kept = strict.ada.get("limits").json()["used"]["bytes"]  # by other tests
    upload = strict.ada.upload(png())
    job = strict.ada.submit(upload).json()["id"]
    assert strict.ada.ended(job)["state"] == "done"
    bob = strict.bob
    assert bob.head(f"uploads/{upload}", headers=TUS).status_code == 404
    check_problem(bob.append(upload, 0, b"x"), 404)
    check_problem(bob.delete(f"uploads/{upload}", headers=TUS), 404)
    check_problem(bob.submit(upload), 404)
    for path in ("", "/events", "/result", "/before", "/after"):
        check_problem(bob.get(f"jobs/{job}{path}"), 404)
    check_problem(bob.post(f"jobs/{job}/cancel"), 404)
    check_problem(bob.delete(f"jobs/{job}"), 404)
    check_problem(bob.get("jobs.zip", params={"id": job}), 404)
    assert bob.get("jobs").json()["jobs"] == []
    assert bob.get("limits").json()["used"] == {"waiting_jobs": 0, "bytes": 0}
    assert strict.ada.get("limits").json()["used"]["bytes"] > kept + len(png())  # its source and its result
    assert strict.ada.delete(f"jobs/{job}").status_code == 204
    assert strict.ada.get("limits").json()["used"]["bytes"] == kept
