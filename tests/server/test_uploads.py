"""Uploads by the tus protocol: https://tus.io/protocols/resumable-upload."""

from __future__ import annotations

import email.utils
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.conftest import Users, png
from tests.server.running import TUS, Client, Server, check_problem, previewed

BYTES = bytes(range(256)) * 8


def test_an_upload_goes_on_at_its_offset(client: Client, server: Server) -> None:
    answer = client.create(len(BYTES))
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    location = answer.headers["Location"]
    assert location.startswith("uploads/")  # relative: no proxy can make it wrong
    upload = location.split("/")[-1]
    expires = email.utils.parsedate_to_datetime(answer.headers["Upload-Expires"]).timestamp()
    assert 23.9 * 3600 < expires - time.time() < 24.1 * 3600
    assert client.append(upload, 0, BYTES[:1000]).headers["Upload-Offset"] == "1000"
    head = client.head(location, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("1000", "2048")
    assert head.headers["Cache-Control"] == "no-store"
    assert client.append(upload, 1000, BYTES[1000:]).headers["Upload-Offset"] == "2048"
    assert (server.data / "uploads" / upload / "source").read_bytes() == BYTES


def test_the_server_describes_itself(client: Client) -> None:
    answer = client.options("uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,expiration,termination"
    assert answer.headers["Tus-Max-Size"] == str(2 << 30)


def test_a_wrong_offset_is_a_conflict_that_names_the_right_one(client: Client) -> None:
    upload = client.create(100).headers["Location"].split("/")[-1]
    client.append(upload, 0, BYTES[:40])
    for wrong in (0, 39, 41):
        answer = client.append(upload, wrong, BYTES[:10])
        check_problem(answer, 409, "40", str(wrong))
        assert answer.headers["Upload-Offset"] == "40"


def test_bytes_beyond_the_length_are_refused(client: Client, server: Server) -> None:
    upload = client.create(100).headers["Location"].split("/")[-1]
    check_problem(client.append(upload, 0, BYTES[:101]), 413, "101", "100")

    def parts() -> object:
        yield BYTES[:60]
        yield BYTES[:60]

    check_problem(client.append(upload, 0, parts()), 413, "100")
    assert (server.data / "uploads" / upload / "source").stat().st_size <= 100
    offset = int(client.head(f"uploads/{upload}", headers=TUS).headers["Upload-Offset"])
    assert client.append(upload, offset, BYTES[offset:100]).status_code == 204


def test_two_requests_at_once_do_not_mix(client: Client, server: Server) -> None:
    content = b"A" * 3_000_000
    upload = client.create(len(content)).headers["Location"].split("/")[-1]

    def slow(letter: bytes) -> object:
        for _ in range(30):
            time.sleep(0.01)
            yield letter * 100_000

    def send(letter: bytes) -> int:
        with server.client() as other:
            return other.append(upload, 0, slow(letter)).status_code

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(send, [b"A", b"B"]))
    assert answers == [204, 409]
    stored = (server.data / "uploads" / upload / "source").read_bytes()
    assert set(stored) in ({ord("A")}, {ord("B")})


def test_a_connection_that_breaks_off_keeps_what_has_arrived(client: Client, server: Server) -> None:
    upload = client.create(5000).headers["Location"].split("/")[-1]
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port)) as raw:
        head = (
            f"PATCH /v1/uploads/{upload} HTTP/1.1\r\nHost: {host}:{port}\r\nTus-Resumable: 1.0.0\r\n"
            "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: 5000\r\n\r\n"
        )
        raw.sendall(head.encode() + BYTES)
        time.sleep(0.3)
    for _ in range(50):
        offset = int(client.head(f"uploads/{upload}", headers=TUS).headers["Upload-Offset"])
        if offset:
            break
        time.sleep(0.05)
    assert offset == len(BYTES)
    rest = bytes(5000 - offset)
    assert client.append(upload, offset, rest).status_code == 204


def test_a_deleted_upload_is_gone(client: Client, server: Server) -> None:
    upload = client.upload(BYTES)
    assert client.delete(f"uploads/{upload}", headers=TUS).status_code == 204
    check_problem(client.get(f"jobs/{upload}"), 404)
    assert client.head(f"uploads/{upload}", headers=TUS).status_code == 404
    assert client.delete(f"uploads/{upload}", headers=TUS).status_code == 404
    assert not (server.data / "uploads" / upload).exists()


@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        ({}, 412, "1.0.0"),
        ({"Tus-Resumable": "0.2.2", "Upload-Length": "3"}, 412, "1.0.0"),
        (TUS, 400, "upload-length"),
        (TUS | {"Upload-Length": "-1"}, 400, "upload-length"),
        (TUS | {"Upload-Length": "1e9"}, 400, "upload-length"),
        (TUS | {"Upload-Length": "9" * 40}, 400, "upload-length"),
        (TUS | {"Upload-Length": "0"}, 400, "empty"),
        (TUS | {"Upload-Length": str((2 << 30) + 1)}, 413, "2,147,483,648"),
        (TUS | {"Upload-Length": "3", "Upload-Metadata": "filename !!"}, 400, "base64"),
    ],
)
def test_what_cannot_be_begun_is_refused(client: Client, headers: dict[str, str], status: int, word: str) -> None:
    check_problem(client.post("uploads", headers=headers), status, word)


def test_the_greatest_length_is_taken(client: Client) -> None:
    answer = client.create(2 << 30)
    assert answer.status_code == 201  # only announced: a disk that has 10 % left takes it
    client.delete(answer.headers["Location"], headers=TUS)


def test_other_content_types_are_refused(client: Client) -> None:
    upload = client.create(3).headers["Location"].split("/")[-1]
    answer = client.append(upload, 0, b"abc", **{"Content-Type": "application/octet-stream"})
    check_problem(answer, 415, "application/offset+octet-stream")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../x.png", "x"),
        ("..\\..\\x.png", "x"),
        ("/etc/passwd", "passwd"),
        ("a\0b\n.png", "ab"),
        ("é" * 300, "é" * 127),
        ("\u202egnp.exe", "gnp"),
        ("🦊 fox.png", "🦊 fox"),
        ("CON", "CON"),
        ("...", "image"),
        ('a"b.png', 'a"b'),
    ],
)
def test_names_are_data_and_never_paths(client: Client, server: Server, name: str, kept: str) -> None:
    job = client.job(png(8, 8), name, task={"size": {"scale": 2}})
    done = previewed(client, job["id"])
    assert done["state"] == "done", done
    assert done["result_name"] == f"{kept}-x2.png"
    assert sorted(path.name for path in (server.data / "jobs" / job["id"]).iterdir()) == [
        "after.jpg",
        "before.jpg",
        "result.png",
    ]
    disposition = client.get(f"jobs/{job['id']}/result").headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert "\n" not in disposition


def test_limits_of_a_file_and_of_a_user_are_met_from_both_sides(strict: Users) -> None:
    at_the_limit = strict.bob.create(100_000)
    assert at_the_limit.status_code == 201
    check_problem(strict.bob.create(100_001), 413, "100,001", "100,000")
    more = [strict.bob.create(100_000) for _ in range(4)]
    assert [answer.status_code for answer in more] == [201] * 4
    answer = strict.bob.create(1)
    check_problem(answer, 429, "500,000")
    assert int(answer.headers["Retry-After"]) > 0
    assert strict.ada.create(10).status_code == 201  # another user's bytes do not count
    for each in (at_the_limit, *more):
        assert strict.bob.delete(each.headers["Location"], headers=TUS).status_code == 204
    assert strict.bob.get("limits").json()["used"]["bytes"] == 0
