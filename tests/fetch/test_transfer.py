"""One file over HTTP, from a server on loopback that behaves well or badly."""

from __future__ import annotations

import errno
import io
import os
import shutil
import ssl
import threading
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

import pytest

from hyperacuity.errors import DamagedFile, HyperacuityError, Unreachable, UsageError
from hyperacuity.fetch import transfer
from hyperacuity.fetch.failures import explain, explain_status
from hyperacuity.fetch.partial import PartialDownload
from hyperacuity.fetch.transfer import Patience, download
from hyperacuity.storage import storing
from tests.fetch.server import Handler, Respond, serving, slowly

CONTENT = bytes(range(256)) * 1000
QUICK = Patience(timeout=30.0, attempts=3, pause=0.01)


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "net.pth.part"


def fails(respond: Respond, part: Path, error: type[HyperacuityError], match: str, **options: Any) -> None:
    with serving(respond) as server, pytest.raises(error, match=match):
        download(f"{server.address}/net.pth", part, patience=QUICK, **options)


def test_a_file_arrives_with_its_progress(part: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serving(lambda handler: handler.part(CONTENT)) as server:
        download(f"{server.address}/net.pth", part, observe=lambda done, total: seen.append((done, total)))
    assert part.read_bytes() == CONTENT
    assert (seen[0], seen[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))
    assert seen == sorted(seen)
    assert server.asked("Accept-Encoding") == ["identity"]
    assert "hyperacuity" in str(server.asked("User-Agent"))


def test_a_broken_connection_is_resumed_where_it_broke(part: Path) -> None:
    ends = iter((1000, 70_000, None))
    with serving(lambda handler: handler.part(CONTENT, next(ends))) as server:
        download(f"{server.address}/net.pth", part, patience=QUICK)
    assert part.read_bytes() == CONTENT
    assert server.asked("Range") == [None, "bytes=1000-", "bytes=70000-"]
    assert server.asked("If-Range") == [None, '"1"', '"1"']


def test_a_later_run_resumes_what_an_earlier_one_left(part: Path) -> None:
    part.write_bytes(CONTENT[:1234])
    with serving(lambda handler: handler.part(CONTENT)) as server:
        download(f"{server.address}/net.pth", part, size=len(CONTENT))
    assert part.read_bytes() == CONTENT
    assert server.asked("Range") == ["bytes=1234-"]


def test_a_complete_part_needs_no_more(part: Path) -> None:
    part.write_bytes(CONTENT)
    with serving(lambda handler: handler.part(CONTENT)) as server:
        download(f"{server.address}/net.pth", part, size=len(CONTENT))
    assert part.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_part_that_is_too_long_begins_again(part: Path) -> None:
    part.write_bytes(CONTENT + b"more")
    with serving(lambda handler: handler.part(CONTENT)) as server:
        download(f"{server.address}/net.pth", part, size=len(CONTENT), patience=QUICK)
    assert part.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_of_it_again(part: Path) -> None:
    part.write_bytes(b"x" * 500)

    def whole(handler: Handler) -> None:
        handler.head(200, Content_Length=len(CONTENT))
        handler.wfile.write(CONTENT)

    with serving(whole) as server:
        download(f"{server.address}/net.pth", part)
    assert part.read_bytes() == CONTENT


def test_another_part_than_the_one_asked_for_is_not_appended(part: Path) -> None:
    part.write_bytes(CONTENT[:1000])

    def shifted(handler: Handler) -> None:
        if "Range" in handler.headers:
            handler.head(206, Content_Range=f"bytes 999-{len(CONTENT) - 1}/{len(CONTENT)}", Content_Length=3)
            handler.wfile.write(b"abc")
        else:
            handler.part(CONTENT)

    with serving(shifted) as server:
        download(f"{server.address}/net.pth", part, patience=QUICK)
    assert part.read_bytes() == CONTENT


def test_a_body_without_a_length_ends_with_the_connection(part: Path) -> None:
    def without(handler: Handler) -> None:
        handler.head(200, Connection="close")
        handler.wfile.write(CONTENT)

    with serving(without) as server:
        download(f"{server.address}/net.pth", part)
    assert part.read_bytes() == CONTENT


def test_a_server_that_claims_more_than_it_sends_does_not_go_on_for_ever(part: Path) -> None:
    def lying(handler: Handler) -> None:
        handler.head(200, Content_Length=2 * len(CONTENT))
        handler.wfile.write(CONTENT)

    fails(lying, part, Unreachable, "broke off after 256,000 of 512,000 bytes; what has arrived is kept")
    assert part.read_bytes() == CONTENT


def test_a_server_that_sends_another_length_than_published_is_refused_before(part: Path) -> None:
    fails(lambda h: h.part(CONTENT), part, DamagedFile, "offers a file of 256,000 bytes; .* has 7", size=7)
    assert not part.exists()


def test_a_server_that_sends_more_than_it_should_is_cut_off(part: Path) -> None:
    def endless(handler: Handler) -> None:
        handler.head(200, Connection="close")
        for _ in range(100):
            handler.wfile.write(CONTENT)

    fails(endless, part, DamagedFile, "more than the 300,000 bytes", size=300_000)
    assert not part.exists()


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_not_a_file(part: Path, kind: str) -> None:
    page = b"\n<!DOCTYPE html><html>Sign in</html>"

    def respond(handler: Handler) -> None:
        handler.part(page, Content_Type=kind)

    fails(respond, part, DamagedFile, "a web page and not the file")
    fails(respond, part, DamagedFile, "a web page and not the file", size=len(CONTENT))
    assert not part.exists()


def test_a_web_page_of_a_hotel_does_not_cost_what_has_arrived(part: Path) -> None:
    part.write_bytes(CONTENT[:1000])

    def page(handler: Handler) -> None:
        handler.head(200, Content_Length=6)
        handler.wfile.write(b"<html>")

    fails(page, part, DamagedFile, "a web page")
    assert part.read_bytes() == CONTENT[:1000]


def test_an_empty_file_and_a_compressed_one_are_refused(part: Path) -> None:
    fails(lambda h: h.head(200, Content_Length=0), part, DamagedFile, "empty file")
    fails(lambda h: h.part(CONTENT, Content_Encoding="gzip"), part, DamagedFile, "compressed")
    assert not part.exists()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "no longer offers this file"),
        (410, "no longer offers this file"),
        (403, "may want a login"),
        (401, "may want a login"),
        (418, "status 418"),
    ],
)
def test_refusals_are_explained_at_once(part: Path, status: int, message: str) -> None:
    with serving(lambda h: h.head(status, Content_Length=0)) as server:
        with pytest.raises(Unreachable, match=message) as caught:
            download(f"{server.address}/net.pth", part, patience=QUICK)
        assert len(server.requests) == 1
    assert caught.value.cures
    assert not part.exists()


def test_a_busy_server_is_asked_again(part: Path) -> None:
    def respond(handler: Handler) -> None:
        if len(server.requests) < 3:
            handler.head(503, Content_Length=0, Retry_After=0)
        else:
            handler.part(CONTENT)

    with serving(respond) as server:
        download(f"{server.address}/net.pth", part, patience=QUICK)
    assert part.read_bytes() == CONTENT
    fails(lambda h: h.head(503, Content_Length=0), part.with_name("b.part"), Unreachable, "status 503")


def test_a_redirect_is_followed_with_the_range(part: Path) -> None:
    part.write_bytes(CONTENT[:10])

    def respond(handler: Handler) -> None:
        if handler.path == "/net.pth":
            handler.head(302, Location="/elsewhere", Content_Length=0)
        else:
            handler.part(CONTENT)

    with serving(respond) as server:
        download(f"{server.address}/net.pth", part)
    assert part.read_bytes() == CONTENT
    assert server.asked("Range") == ["bytes=10-", "bytes=10-"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/net.pth", "redirects again and again"),
        ("file:///etc/hostname", "never used"),
        ("data:text/plain,abc", "never used|status"),
        ("ftp://127.0.0.1:9/net.pth", "never used"),
        ("http://[broken/net.pth", "redirects to an address that cannot be read"),
        ("http://\xff.invalid:99999999/net.pth", "redirects to an address that cannot be read"),
    ],
)
def test_redirects_to_nowhere_are_refused(part: Path, target: str, message: str) -> None:
    fails(lambda h: h.head(302, Location=target, Content_Length=0), part, Unreachable, message)
    assert not part.exists()


def test_a_status_without_a_reason_is_explained(part: Path) -> None:
    def bare(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 304 \r\nContent-Length: 0\r\n\r\n")

    fails(bare, part, Unreachable, "status 304")


@pytest.mark.parametrize(
    ("status", "name", "value"),
    [(200, "Content_Length", "9" * 5000), (206, "Content_Range", f"bytes 0-1/{'9' * 5000}")],
)
def test_an_absurd_length_counts_as_none(part: Path, status: int, name: str, value: str) -> None:
    def respond(handler: Handler) -> None:
        handler.head(status, **{name: value})
        handler.wfile.write(CONTENT)

    with serving(respond) as server:
        download(f"{server.address}/net.pth", part, patience=QUICK)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("after", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_server_that_wants_a_long_pause_is_not_waited_for(part: Path, after: str) -> None:
    with serving(lambda h: h.head(429, Content_Length=0, Retry_After=after)) as server:
        with pytest.raises(Unreachable, match=r"too often \(status 429\).*wants a pause of [0-9,]+ minutes") as caught:
            download(f"{server.address}/net.pth", part, patience=QUICK)
        assert len(server.requests) == 1
    assert caught.value.cures


@pytest.mark.parametrize("after", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5", ""])
def test_a_pause_that_is_over_or_cannot_be_read_is_none(part: Path, after: str) -> None:
    def respond(handler: Handler) -> None:
        if len(server.requests) < 3:
            handler.head(503, Content_Length=0, Retry_After=after)
        else:
            handler.part(CONTENT)

    with serving(respond) as server:
        download(f"{server.address}/net.pth", part, patience=QUICK)
    assert part.read_bytes() == CONTENT


def test_words_of_the_server_and_of_python_are_not_repeated(part: Path) -> None:
    def cut(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"ffff\r\n" + CONTENT[:1000])

    def babble(handler: Handler) -> None:
        handler.wfile.write(b"\x1b[31mnonsense\r\n\r\n")

    fails(cut, part, Unreachable, "the connection broke off; what has arrived is kept")
    fails(babble, part.with_name("b.part"), Unreachable, "the server does not answer as HTTP says")


def test_nothing_that_has_arrived_names_the_other_way(part: Path) -> None:
    with serving(lambda h: None) as server, pytest.raises(Unreachable, match="without a response") as caught:
        download(f"{server.address}/net.pth", part, patience=QUICK)
    assert caught.value.cures
    assert not part.exists()


def test_a_length_beyond_all_published_files_is_refused_before(part: Path) -> None:
    fails(lambda h: h.head(200, Content_Length=10**14), part, DamagedFile, "offers a file of 100,000,000,000,000 bytes")
    assert not part.exists()


def test_a_slow_server_is_waited_for(part: Path) -> None:
    with serving(slowly(CONTENT, 6, 0.1)) as server:
        download(f"{server.address}/net.pth", part, patience=QUICK)
    assert part.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_silent_server_is_given_up_and_what_arrived_stays(part: Path) -> None:
    def silent(handler: Handler) -> None:
        handler.head(
            206 if handler.begin else 200, Content_Length=1000, Content_Range=f"bytes {handler.begin}-999/1000"
        )
        if not handler.begin:
            handler.wfile.write(b"x" * 10)
        handler.server.silence.wait(60)  # type: ignore[attr-defined]

    with serving(silent) as server:
        server.silence = threading.Event()  # type: ignore[attr-defined]
        with pytest.raises(Unreachable, match="what has arrived is kept"):
            download(f"{server.address}/net.pth", part, patience=Patience(1.0, 1, 0.01))
        server.silence.set()  # type: ignore[attr-defined]
    assert part.read_bytes() == b"x" * 10


def test_no_server_and_no_network_are_told_apart(part: Path) -> None:
    with serving(lambda h: None) as server:
        address = server.address
    with pytest.raises(Unreachable, match="refuses the connection"):
        download(address, part, patience=QUICK)
    with pytest.raises(Unreachable, match="not found: there is no network, or it needs a proxy"):
        download("http://no-such-host.invalid/net.pth", part, patience=QUICK)
    assert not part.exists()


def test_a_proxy_is_used_and_named(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda handler: handler.part(CONTENT)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        download("http://weights.invalid/net.pth", part)
    assert [path for path, _ in proxy.requests] == ["http://weights.invalid/net.pth"]
    assert part.read_bytes() == CONTENT

    with serving(lambda handler: None) as proxy:
        pass
    monkeypatch.setenv("https_proxy", f"http://name:secret@127.0.0.1:{proxy.server_port}")
    with pytest.raises(Unreachable, match=f"HTTPS_PROXY is 127.0.0.1:{proxy.server_port}"):
        download("https://weights.invalid/net.pth", part.with_name("b.part"), patience=QUICK)
    monkeypatch.setenv("http_proxy", f"http://name:secret@127.0.0.1:{proxy.server_port}")
    with pytest.raises(Unreachable, match=f"HTTP_PROXY is 127.0.0.1:{proxy.server_port}"):
        download("http://weights.invalid/net.pth", part.with_name("b.part"), patience=QUICK)
    monkeypatch.setenv("no_proxy", "weights.invalid")
    with pytest.raises(Unreachable, match=r"weights\.invalid is not found: there is no network"):
        download("http://weights.invalid/net.pth", part.with_name("b.part"), patience=QUICK)


def test_a_full_disk_is_noticed_before_and_during(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))
    fails(lambda h: h.part(CONTENT), part, UsageError, "MB free, and the file needs")
    monkeypatch.undo()
    part.write_bytes(CONTENT[:100])

    def full(self: PartialDownload, data: bytes) -> None:
        with storing(self.path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PartialDownload, "append", full)
    fails(lambda h: h.part(CONTENT), part, UsageError, "the disk is full")
    assert part.read_bytes() == CONTENT[:100]


def test_a_folder_that_cannot_be_written_names_the_variable_for_another(part: Path) -> None:
    part.write_bytes(b"a file where the cache folder should be")
    with pytest.raises(UsageError, match=r"was not written: .* HYPERACUITY_CACHE names another folder"):
        download("http://weights.invalid/net.pth", part / "downloads" / "net.pth.part", patience=QUICK)


def test_two_processes_do_not_write_one_file(part: Path) -> None:
    with PartialDownload(part) as first:
        first.append(b"abc")
        with pytest.raises(UsageError, match="another process is downloading"):
            PartialDownload(part)
    assert part.read_bytes() == b"abc"
    assert os.listdir(part.parent) == [part.name]


def test_https_never_becomes_http() -> None:
    request = Request("https://weights.invalid/net.pth")
    redirect = transfer._Redirects().redirect_request
    with pytest.raises(HTTPError, match="not allowed") as caught:
        redirect(request, io.BytesIO(), 302, "Found", Message(), "http://weights.invalid/net.pth")
    explained = explain_status(caught.value, "weights.invalid")
    assert isinstance(explained, Unreachable)
    assert "never used" in str(explained)
    following = redirect(request, io.BytesIO(), 302, "Found", Message(), "https://elsewhere.invalid/net.pth")
    assert following is not None
    caught.value.close()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "SSL_CERT_FILE"),
        (OSError("Tunnel connection failed: 407 Proxy Authentication Required"), "the proxy does not connect"),
        (TimeoutError(), "does not answer in time"),
        (ConnectionResetError(104, "reset"), "the connection failed"),
    ],
)
def test_failures_to_connect_are_explained(error: OSError, message: str) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    assert message in str(explain(URLError(error), "weights.invalid"))
