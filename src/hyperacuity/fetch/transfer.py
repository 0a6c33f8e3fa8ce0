"""Downloads one file over HTTP, and resumes it where an earlier attempt ended.

What has arrived stays in FILE.part, also after Ctrl-C and between runs; the server is asked for the rest only
(RFC 9110, section 14). By Python's own `urllib`: it follows redirects, never to another scheme than HTTP, checks
certificates and knows proxies. Pooch (1.9, BSD) would begin again after each break and bring six packages; requests and
urllib3 do not resume either, so the part that matters is here in any case.
"""

from __future__ import annotations

import http.client
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import hyperacuity
from hyperacuity.errors import DamagedFile, Unreachable, UsageError, Use
from hyperacuity.fetch.failures import Broken, explain, explain_redirect, explain_status
from hyperacuity.fetch.partial import PartialDownload

# No file of the catalogue is near it: a server that never ends is cut off.
_LARGEST = 8 << 30
_DIGITS = 18
_CHUNK = 1 << 17
_WAIT_AT_MOST = 60.0


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        timeout: Seconds without a single byte after which a connection counts as broken.
        attempts: How often in a row a connection may break without bringing anything new.
        pause: Seconds before the second attempt; each further one waits twice as long.
    """

    timeout: float = 30.0
    attempts: int = 5
    pause: float = 1.0


Observe = Callable[[int, int | None], None]


def download(
    address: str,
    part: Path,
    *,
    size: int | None = None,
    observe: Observe = lambda done, total: None,
    patience: Patience = Patience(),
) -> None:
    """Download a file, or the rest of it.

    Args:
        address: Of HTTP or HTTPS.
        part: The file to write; what it holds already is taken as the beginning.
        size: Of the whole file in bytes, if it is known: a file of another size is refused before it is downloaded.
        observe: Called with the bytes that are there and those of the whole file, if they are known.
        patience: How long to wait.

    Raises:
        Unreachable: There is no network, or the server does not give the file. What has arrived stays.
        DamagedFile: The server gives something else than the file, such as a web page; it is not kept.
        UsageError: The disk is full, or another process downloads the same file. What has arrived stays.
    """
    with PartialDownload(part) as partial:
        failures, farthest, validator = 0, partial.length, ""
        while True:
            try:
                response = _request(address, partial.length, validator, patience.timeout)
                with response:
                    validator = _validator(response)
                    _receive(response, partial, size, observe)
                return
            except Broken as broken:
                failures = 1 if partial.length > farthest else failures + 1
                farthest = max(farthest, partial.length)
                if broken.restart:
                    partial.restart()
                if failures > patience.attempts or broken.wait > _WAIT_AT_MOST:
                    raise _given_up(_host(address), broken, partial.length) from broken
                time.sleep(min(broken.wait or patience.pause * 2 ** (failures - 1), _WAIT_AT_MOST))


def _given_up(host: str, broken: Broken, kept: int) -> Unreachable:
    """The error after the last attempt."""
    pause = f"; it wants a pause of {broken.wait / 60:,.0f} minutes" if broken.wait > _WAIT_AT_MOST else ""
    if kept:
        return Unreachable(f"{host}: {broken}{pause}; what has arrived is kept, and the next attempt resumes")
    return Unreachable(f"{host}: {broken}{pause}", Use(from_file="FILE"))


class _Redirects(HTTPRedirectHandler):
    """Refuses redirects to other schemes than HTTP, and from HTTPS to HTTP, which anybody on the way could change."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise HTTPError(req.full_url, code, f"redirection to {newurl!r} is not allowed", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _request(address: str, begin: int, validator: str, timeout: float) -> Any:
    """The response for the file from byte `begin` on. Raises `Broken` if it is worth another attempt."""
    headers = {"User-Agent": f"hyperacuity/{hyperacuity.__version__}", "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
        if validator:
            headers["If-Range"] = validator
    try:
        return build_opener(_Redirects).open(Request(address, headers=headers), timeout=timeout)
    except HTTPError as error:
        with error:
            if error.code == 416 and begin:  # nothing lies behind what is there: it is too long, or complete
                complete = error.headers.get("Content-Range", "") == f"bytes */{begin}"
                if complete:
                    return _Nothing(begin)
                raise Broken("the server has no rest of the file", restart=True) from error
            raise explain_status(error, _host(address)) from error
    except (URLError, OSError, http.client.HTTPException) as error:
        raise explain(error, _host(address), urlsplit(address).scheme) from error
    except (ValueError, OverflowError) as error:  # of a host or a port that cannot be
        raise explain_redirect(error, _host(address)) from error


class _Nothing:
    """The response to a request for the rest of a file that is complete."""

    status = 206

    def __init__(self, size: int) -> None:
        self.headers = {"Content-Range": f"bytes {size}-{size - 1}/{size}"}

    def read1(self, count: int) -> bytes:
        return b""

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _validator(response: Any) -> str:
    """What identifies the version of the file, to ask for the rest of the same version only."""
    tag: str = response.headers.get("ETag") or ""
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified") or ""


def _receive(response: Any, partial: PartialDownload, size: int | None, observe: Observe) -> None:
    """Append the body to the file, which is then as long as the server and the catalogue say."""
    if (response.headers.get("Content-Encoding") or "identity") != "identity":
        raise DamagedFile("the server sends the file compressed, which was not asked for")
    total = _place(response, partial.length)
    chunk = _read(response)
    is_page = (response.headers.get("Content-Type") or "").startswith("text/html")
    if is_page or (response.status != 206 and chunk.lstrip()[:1] == b"<"):
        raise DamagedFile("the address gives a web page and not the file: it may want a login, or has moved")
    if None not in (size, total) and size != total:
        raise DamagedFile(f"the server offers a file of {total:,} bytes; the published one has {size:,}")
    if (total or 0) > _LARGEST:
        raise DamagedFile(f"the server offers a file of {total:,} bytes; no published one is near that")
    expected = total if size is None else size
    _check_space(partial, expected)
    if response.status != 206:
        partial.restart()  # the server sends all of the file, whatever was asked for
    observe(partial.length, expected)
    while chunk:
        if partial.length + len(chunk) > (expected or _LARGEST):
            partial.restart()
            raise DamagedFile(f"the server sends more than the {expected or _LARGEST:,} bytes of the file")
        partial.append(chunk)
        observe(partial.length, expected)
        chunk = _read(response)
    if expected is not None and partial.length < expected:
        raise Broken(f"the connection broke off after {partial.length:,} of {expected:,} bytes")
    if partial.length == 0:
        raise DamagedFile("the server sends an empty file")


def _place(response: Any, begin: int) -> int | None:
    """The size of the whole file if the response says it; a part of the file must begin at `begin`."""
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range") or "")
        if found is None or _count(found[1]) != begin:
            raise Broken("the server gives another part of the file than the one asked for", restart=True)
        return _count(found[2])
    return _count(response.headers.get("Content-Length") or "")


def _count(digits: str) -> int | None:
    """A number of bytes; None for what is none, or has more digits than any file."""
    return int(digits) if digits.isdecimal() and len(digits) <= _DIGITS else None


def _read(response: Any) -> bytes:
    try:
        chunk: bytes = response.read1(_CHUNK)
    except http.client.HTTPException as error:
        raise Broken("the connection broke off") from error
    except OSError as error:
        raise Broken(f"the connection broke off ({error or type(error).__name__})") from error
    return chunk


def _check_space(partial: PartialDownload, expected: int | None) -> None:
    missing = (expected or 0) - partial.length
    free = shutil.disk_usage(partial.path.parent).free
    if missing > free:
        raise UsageError(
            f"{partial.path.parent} has {free / 1e6:,.0f} MB free, and the file needs {missing / 1e6:,.0f} MB more; "
            "free some space, or choose another folder by HYPERACUITY_CACHE"
        )


def _host(address: str) -> str:
    return urlsplit(address).hostname or address
