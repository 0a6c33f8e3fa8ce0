"""What failures of the network mean, in words: which are worth another attempt, and which are not."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError, URLError
from urllib.request import getproxies, proxy_bypass

from hyperacuity.errors import HyperacuityError, Unreachable, Use

# What a user without a network, or with a server that fails, can do.
_FROM_FILE = Use(from_file="FILE")
_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}


class Broken(Exception):  # noqa: N818 - named after the event
    """A failure after which another attempt may succeed.

    Attributes:
        restart: What has arrived cannot be continued.
        wait: For how many seconds the server asks; 0 if it does not say.
    """

    def __init__(self, reason: str, *, restart: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.restart, self.wait = restart, wait


def explain_status(error: HTTPError, host: str) -> Broken | HyperacuityError:
    """Returns what a response other than success means; see `Broken`."""
    if error.code in (404, 410):
        return Unreachable(
            f"{host} no longer offers this file (status {error.code}): its address has vanished", _FROM_FILE
        )
    if error.code in (401, 403):
        return Unreachable(f"{host} refuses the download (status {error.code}): it may want a login", _FROM_FILE)
    if error.code == 407:
        return Unreachable("the proxy wants a login: write it into HTTPS_PROXY, as http://user:password@host:port")
    if error.code in _TEMPORARY:
        reason = "the server is asked too often" if error.code == 429 else "the server has a problem"
        return Broken(f"{reason} (status {error.code})", wait=_pause(error.headers.get("Retry-After") or ""))
    if 300 <= error.code < 400:
        reason = str(error.reason).partition("\n")[0]
        if "not allowed" in reason:
            return Unreachable(
                f"{host} redirects to an address that is never used ({reason.removesuffix('.')})", _FROM_FILE
            )
        return Unreachable(f"{host} redirects again and again, or to nothing (status {error.code})", _FROM_FILE)
    return Unreachable(f"{host} answers with status {error.code} ({error.reason})", _FROM_FILE)


def explain_redirect(error: ValueError | OverflowError, host: str) -> HyperacuityError:
    """Returns what an error means in the address to which a server redirects."""
    return Unreachable(f"{host} redirects to an address that cannot be read ({error})", _FROM_FILE)


def explain(error: OSError | http.client.HTTPException, host: str, scheme: str = "https") -> Broken | HyperacuityError:
    """Returns what an error while connecting to an address of HTTP or HTTPS means; see `Broken`."""
    reason = error.reason if isinstance(error, URLError) else error
    proxy = _proxy(scheme, host)
    if isinstance(reason, socket.gaierror):
        where = f"{host}, or its proxy, is not found{proxy}" if proxy else f"{host} is not found"
        return Unreachable(f"{where}: there is no network, or it needs a proxy ({scheme.upper()}_PROXY)", _FROM_FILE)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Unreachable(
            f"the certificate of {host} cannot be verified ({reason.verify_message}); if a proxy replaces "
            "certificates, SSL_CERT_FILE must name its own"
        )
    if isinstance(reason, OSError) and "Tunnel connection failed" in str(reason):
        return Unreachable(f"the proxy does not connect to {host} ({reason}){proxy}", _FROM_FILE)
    if isinstance(reason, ConnectionRefusedError):
        return Unreachable(f"{host} refuses the connection{proxy}", _FROM_FILE)
    if isinstance(reason, TimeoutError):
        return Broken("the server does not answer in time")
    if isinstance(reason, http.client.RemoteDisconnected):
        return Broken("the server closes the connection without a response")
    if isinstance(reason, http.client.HTTPException):
        return Broken("the server does not answer as HTTP says")
    return Broken(f"the connection failed ({reason or type(reason).__name__})")


def _pause(after: str) -> float:
    """The seconds of Retry-After, a number or a date; 0 for anything else (RFC 9110, section 10.2.3)."""
    if after.isdecimal() and len(after) < 10:
        return float(after)
    try:
        return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _proxy(scheme: str, host: str) -> str:
    """A part of a message that names the proxy in use."""
    proxy = "" if proxy_bypass(host) else getproxies().get(scheme, "")
    return f"; {scheme.upper()}_PROXY is {proxy.rpartition('@')[2]}" if proxy else ""  # without its password
