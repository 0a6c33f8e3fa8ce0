"""What protects a server: logins, hosts and origins, headers, deadlines, and what workers may know."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from hyperacuity.server.folders import Folders
from hyperacuity.server.http.events import Notifier
from hyperacuity.server.http.guard import is_loopback
from hyperacuity.server.http.problems import Problem
from hyperacuity.server.http.state import ServerState
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.store import open_store
from hyperacuity.server.workers import Workers
from tests.cli import process
from tests.server.conftest import Users, png, users
from tests.server.running import TUS, Client, Server, check_problem


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.1.4", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:7860", "192.168.1.4", ""])
def test_another_host_is_refused_on_loopback(client: Client, host: str) -> None:
    check_problem(client.get("limits", headers={"Host": host}), 421)
    check_problem(client.get("../", headers={"Host": host}), 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:80", "[::1]:7860", "[::1]"])
def test_the_names_of_this_machine_are_taken(client: Client, host: str) -> None:
    assert client.get("limits", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_changes_by_other_pages_are_refused(client: Client, headers: dict[str, str]) -> None:
    check_problem(client.post("upscale", content=png(), headers=headers), 403)
    check_problem(client.create(3, **headers), 403)
    check_problem(client.delete("jobs/x", headers=headers), 403)


def test_changes_by_the_page_are_taken(client: Client) -> None:
    origin = str(client.base_url).removesuffix("/v1/")
    assert client.create(3, **{"Origin": origin, "Sec-Fetch-Site": "same-origin"}).status_code == 201


@pytest.mark.parametrize("path", ["../", "../main.js", "limits", "jobs/x", "../livez", "nothing", "../../etc/passwd"])
def test_every_answer_has_the_headers_of_safety(client: Client, path: str) -> None:
    answer = client.get(path)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Server" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "nothing", 404), ("PUT", "jobs", 405), ("GET", "jobs.zip", 422), ("GET", "jobs?limit=0", 422)],
)
def test_every_error_is_a_problem(client: Client, method: str, path: str, status: int) -> None:
    check_problem(client.request(method, path), status)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "jobs", "GET, POST"),
        ("GET", "uploads", "OPTIONS, POST"),
        ("GET", "session", "DELETE, POST"),
        ("OPTIONS", "jobs/x", "DELETE, GET"),
        ("TRACE", "uploads/x", "DELETE, HEAD, PATCH"),
        ("PATCH", "openapi.json", "GET, HEAD"),
    ],
)
def test_other_methods_are_refused_with_those_that_are_possible(
    client: Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    check_problem(answer, 405)
    assert answer.headers["Allow"] == allowed


def test_no_file_of_the_machine_is_served(client: Client, server: Server) -> None:
    for path in ("/../../pyproject.toml", "/..%2f..%2fserving.py", "/%2e%2e/serving.py", f"/{server.data}/log"):
        assert client.raw(f"GET {path} HTTP/1.1\r\nConnection: close\r\n").split()[1] in {"404", "400"}


def test_a_login_is_needed(strict: Users) -> None:
    with strict.server.client() as no_one:
        for method, path in [("GET", "jobs"), ("GET", "limits"), ("POST", "upscale"), ("POST", "uploads")]:
            answer = no_one.request(method, path, headers=TUS)
            check_problem(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        check_problem(no_one.get("../metrics"), 401)
        assert no_one.get("../livez").text == "ok"
        assert no_one.get("../").status_code == 200
    with strict.server.client("wrong") as no_one:
        check_problem(no_one.get("jobs"), 401)


def test_a_session_of_the_page(strict: Users) -> None:
    with strict.server.client() as page:
        check_problem(page.post("session", json={"name": "ada", "password": "wrong"}), 401, "password")
        check_problem(page.post("session", json={"name": "eve", "password": "wrong"}), 401, "password")
        check_problem(page.post("session", json={"name": "ada"}), 422)
        answer = page.post("session", json={"name": "ada", "password": "password of ada"})
        assert answer.status_code == 204
        cookie = answer.headers["Set-Cookie"].lower()
        for flag in ("httponly", "samesite=strict", "path=/"):
            assert flag in cookie
        assert "secure" not in cookie  # this test speaks http
        assert page.get("jobs").status_code == 200
        assert page.delete("session").status_code == 204
        page.cookies.set("hyperacuity_session", answer.cookies["hyperacuity_session"])
        check_problem(page.get("jobs"), 401)


def test_a_removed_user_is_refused_at_once(strict: Users) -> None:
    data = strict.server.data
    users(data, "add", "eve", text="password of eve\n")
    with strict.server.client(users(data, "token", "eve")) as eve:
        assert eve.get("jobs").status_code == 200
        users(data, "remove", "eve")
        check_problem(eve.get("jobs"), 401)
    assert users(data, "list") == "ada\nbob"
    assert b"password of ada" not in (data / "jobs.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "text", "word"),
    [
        (["add", "x"], "short\n", "8 to 1000"),
        (["add"], "", "users add NAME"),
        (["list", "x"], "", "no name"),
        (["token", "x"], "", "no user 'x'"),
        (["remove", "x"], "", "no user 'x'"),
        (["delete", "x"], "", "add, token, remove, list"),
    ],
)
def test_users_are_told_what_is_wrong(tmp_path: Path, arguments: list[str], text: str, word: str) -> None:
    done = process.run("users", *arguments, "--data", "d", folder=tmp_path, input=text.encode())
    assert done.returncode == 1
    assert word in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], ["add --auth, or add --no-auth"]),
        (["--host", "::"], ["add --auth, or add --no-auth"]),
        (["--port", "70000"], ["65535"]),
        (["--store", "redis://x"], ["unknown store 'redis'"]),
        (["--base-path", "x"], ["begin with /"]),
        (["--config", "c.toml"], ["unknown key 'max_byte'. Did you mean 'max_bytes'?"]),
    ],
)
def test_serving_is_refused_with_the_cure(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    (tmp_path / "c.toml").write_text("max_byte = 3")
    done = process.run("serve", "--data", "d", *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert [word for word in words if word not in done.stderr] == []


def test_a_taken_port_and_a_taken_folder_are_named(server: Server, tmp_path: Path) -> None:
    port = server.address.rsplit(":", 1)[1].strip("/")
    done = process.run("serve", "--data", "d", "--port", port, folder=tmp_path)
    assert port in done.stderr
    assert "add --port 0" in done.stderr
    done = process.run("serve", "--data", str(server.data), "--port", "0", folder=tmp_path)
    assert "another server uses" in done.stderr


def test_bodies_of_requests_are_bounded(client: Client) -> None:
    big = b'{"x": "' + b"a" * (1 << 20) + b'"}'
    check_problem(client.post("jobs", content=big), 413, "1,048,576")
    pieces = (b" " * 65536 for _ in range(20))
    check_problem(client.post("jobs", content=pieces, headers={"Content-Type": "application/json"}), 413, "1,048,576")
    small = b'{"x": "' + b"a" * 1000 + b'"}'
    check_problem(client.post("jobs", content=small, headers={"Content-Type": "application/json"}), 422)


def test_slow_clients_are_ended_and_others_served(idle: Callable[..., Server]) -> None:
    server = idle(config="header_seconds = 1.0\nmin_bytes_per_second = 1000")
    with server.client() as client:
        host, port = str(client.base_url.host), client.base_url.port or 80
        upload = client.create(100_000).headers["Location"].split("/")[-1]
        head = f"Host: {host}:{port}\r\nTus-Resumable: 1.0.0\r\n"
        silent = socket.create_connection((host, port))
        headers = socket.create_connection((host, port))
        headers.sendall(b"GET /livez HTTP/1.1\r\n")
        body = socket.create_connection((host, port))
        body.sendall(
            f"PATCH /v1/uploads/{upload} HTTP/1.1\r\n{head}Content-Type: application/offset+octet-stream\r\n"
            "Upload-Offset: 0\r\nContent-Length: 100000\r\n\r\n".encode()
        )
        json = socket.create_connection((host, port))
        json.sendall(f"POST /v1/jobs HTTP/1.1\r\n{head}Content-Length: 1000\r\n\r\n{{".encode())
        begun = time.monotonic()
        while time.monotonic() - begun < 2.5:
            for each in (headers, body, json):
                with contextlib.suppress(OSError):
                    each.sendall(b"x")
            assert client.get("../livez").text == "ok"
            time.sleep(0.2)
        for each, answer in ((silent, b""), (headers, b""), (body, b"408"), (json, b"408")):
            each.settimeout(5)
            with each:
                try:
                    received = each.recv(4096)
                except ConnectionResetError:
                    received = b""
            assert answer in received if answer else received == b""
        # The same speed is fine for as long as the rest comes.
        offset = int(client.head(f"uploads/{upload}", headers=TUS).headers["Upload-Offset"])
        assert client.append(upload, offset, bytes(100_000 - offset)).status_code == 204


def test_the_number_of_connections_is_met_from_both_sides(idle: Callable[..., Server]) -> None:
    server = idle(config="max_connections = 5\nheader_seconds = 1000.0")
    with contextlib.ExitStack() as opened, server.client() as client:
        host, port = str(client.base_url.host), client.base_url.port or 80
        for _ in range(3):
            opened.enter_context(socket.create_connection((host, port)))
        assert client.get("../livez").status_code == 200  # the fourth
        opened.enter_context(socket.create_connection((host, port)))
        end = time.monotonic() + 300
        while client.get("../livez").status_code != 503:  # the server may not have heard of the fifth yet
            assert time.monotonic() < end


def test_a_worker_has_no_secrets(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", environment={"PGPASSWORD": "hush", "HYPERACUITY_SECRET": "hush"})
    try:
        with server.client() as client:
            assert client.ended(client.job(png())["id"])["state"] == "done"
        (worker,) = server.workers()
        environment = Path(f"/proc/{worker}/environ")
        if not environment.exists():
            pytest.skip("needs /proc")
        assert b"hush" not in environment.read_bytes()
        assert b"PATH=" in environment.read_bytes()
        limits = Path(f"/proc/{worker}/limits").read_text()
        assert "Max core file size        0 " in limits
    finally:
        server.stop()


def test_a_base_path_and_a_proxy(idle: Callable[..., Server]) -> None:
    server = idle("--base-path", "/photos", "--trusted-proxy", "127.0.0.1")
    assert server.address.endswith("/photos/")
    with server.client() as client:
        page = client.get("../")
        assert page.status_code == 200
        assert 'href="style.css"' in page.text
        location = client.create(3).headers["Location"]
        assert client.head(location, headers=TUS).status_code == 200
        assert client.get("http://" + server.address.split("/")[2] + "/v1/limits").status_code == 200  # stripped
        assert client.get("limits", headers={"Host": "photos.example"}).status_code == 200


def test_health_and_metrics(client: Client, server: Server) -> None:
    assert client.get("../livez").text == "ok"
    assert client.get("../readyz").text == "ok"
    client.ended(client.job(png())["id"])
    client.post("upscale", content=b"")
    text = client.get("../metrics").text
    assert 'hyperacuity_jobs{state="done"}' in text
    assert "hyperacuity_queue_age_seconds 0.0" in text
    assert 'hyperacuity_refused_total{reason="size"}' in text
    assert str(server.data) not in text


def test_a_full_disk_is_said(idle: Callable[..., Server]) -> None:
    with idle(config="min_free_share = 0.999").client() as client:
        check_problem(client.create(3), 507, "100%")
        check_problem(client.post("upscale", content=png()), 507)
        answer = client.get("../readyz")
        assert (answer.status_code, answer.text) == (503, "the disk is nearly full")
        assert client.get("jobs").status_code == 200


def test_the_free_share_of_the_disk_is_met_from_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1000 bytes, of which root keeps 200.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=1000, used=600, free=200))
    options = ServerOptions(data=tmp_path, min_free_share=0.125)
    store = open_store("sqlite", tmp_path)
    folders = Folders(tmp_path)
    state = ServerState(options, store, folders, Workers(options, store, folders), Notifier(store))
    state.check_disk(100)
    with pytest.raises(Problem, match="keeps 12% free"):
        state.check_disk(101)
    assert state.refused == {"disk": 1}
    store.close()


def test_models_and_limits(client: Client) -> None:
    content = client.get("models").json()
    assert content["default"] in {card["family"] for card in content["models"]}
    assert any(card["speed"] for card in content["models"])
    limits = client.get("limits").json()
    assert (limits["max_upload_bytes"], limits["max_input_pixels"]) == (2 << 30, 64_000_000)
    assert limits["auth"] is False
    assert "data" not in limits


def test_the_interface_describes_itself(client: Client) -> None:
    paths = client.get("openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert "application/problem+json" in operation["responses"]["default"]["content"], (path, method)
    assert {"/v1/uploads", "/v1/jobs", "/v1/jobs/{job}/events", "/v1/upscale", "/livez"} <= set(paths)


@pytest.mark.parametrize(
    ("arguments", "message", "wrong"),
    [
        (["--data", "file"], "file was not written: a folder is in place of a file", "--port"),
        (["--data", "file/below"], "a file in place of a folder", "--port"),
        (["--config", "none.toml"], "cannot read none.toml: no such file or directory", "Errno"),
        (["--host", "no-such-host.invalid", "--no-auth"], "there is no address no-such-host.invalid", "--port"),
    ],
)
def test_mistakes_of_a_server_have_their_own_cures(
    arguments: list[str], message: str, wrong: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = process.run("serve", "--port", "0", *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert wrong not in done.stderr
