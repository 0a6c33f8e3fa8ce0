"""Other programs around a server: a proxy, and clients that know nothing of it but the protocol."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.conftest import STRICT, png, users
from tests.server.nginx import proxying
from tests.server.running import TUS, Client, Server, check_problem


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server with users behind nginx, and its outer address."""
    data = tmp_path / "data"
    users(data, "add", "ada", text="password of ada\n")
    arguments = ["--base-path", "/photos", "--trusted-proxy", "127.0.0.1"]
    config = STRICT.replace("100_000", "50_000_000").replace("max_bytes = 500_000", "max_bytes = 500_000_000")
    server = Server(data, *arguments, config=config)
    try:
        inner = "/".join(server.address.split("/")[:3])
        with proxying(tmp_path / "nginx", inner, "https") as address:
            yield server, address
    finally:
        if server.process.poll() is None:
            server.stop()


def test_everything_works_below_a_path_of_a_proxy(behind: tuple[Server, str]) -> None:
    server, address = behind
    content = png(60, 80)
    with Client(address, users(server.data, "token", "ada")) as client:
        page = client.get("../")
        assert page.status_code == 200
        assert client.get("../main.js").status_code == 200
        answer = client.create(len(content))
        location = answer.headers["Location"]
        assert not location.startswith(("http", "/"))
        assert client.head(location, headers=TUS).headers["Upload-Offset"] == "0"
        job = client.job(content)
        done = client.ended(job["id"])
        assert done["state"] == "done"
        assert client.get(done["result"]).content.startswith(b"\x89PNG")
        with client.stream("GET", f"jobs/{job['id']}/events") as events:
            assert "event: done" in list(events.iter_lines())
        refused = client.post("upscale", content=bytes(2_000_000))
        assert refused.status_code == 413
        assert "nginx" in refused.text


def test_a_session_through_https_is_secure(behind: tuple[Server, str]) -> None:
    _, address = behind
    with Client(address) as client:
        check_problem(client.get("jobs"), 401)
        credentials = {"name": "ada", "password": "password of ada"}
        origin = {"Origin": "https://" + address.split("/")[2]}
        answer = client.post("session", json=credentials, headers=origin)
        assert answer.status_code == 204
        cookie = answer.headers["Set-Cookie"].lower()
        assert "secure" in cookie
        assert "path=/photos" in cookie
        check_problem(client.post("session", json=credentials, headers={"Origin": "https://evil.example"}), 403)


def test_another_client_of_the_protocol_uploads_in_parts(idle: Callable[..., Server]) -> None:
    tuspy = pytest.importorskip("tusclient.client", reason="needs tuspy, of the extra dev")
    server = idle()
    content = bytes(range(256)) * 1000
    uploader = tuspy.TusClient(f"{server.address}v1/uploads").uploader(
        file_stream=io.BytesIO(content), chunk_size=100_000, metadata={"filename": "a name, with ü.png"}
    )
    uploader.upload_chunk()
    assert uploader.offset == 100_000
    # Another process goes on at the offset that the server names.
    again = tuspy.TusClient(f"{server.address}v1/uploads").uploader(
        file_stream=io.BytesIO(content), chunk_size=100_000, url=uploader.url
    )
    assert again.offset == 100_000
    again.upload()
    upload = again.url.rsplit("/", 1)[1]
    assert (server.data / "uploads" / upload / "source").read_bytes() == content
    with server.client() as client:
        assert client.submit(upload).json()["name"] == "a name, with ü.png"
