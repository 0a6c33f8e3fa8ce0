"""Where published weights are downloaded: their own address or a mirror; and whether the network may be used at all.

Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or from the system's settings, by Python itself.
"""

from __future__ import annotations

import os
from urllib.parse import quote, urlsplit

from hyperacuity.errors import UsageError
from hyperacuity.zoo import PublishedWeights

# A folder of files under the names that the catalogue gives them, used in place of all addresses.
MIRROR = "HYPERACUITY_MIRROR"
OFFLINE = "HYPERACUITY_OFFLINE"


def address_of(entry: PublishedWeights) -> str:
    """Returns the address to download from: that of the mirror if there is one.

    Raises:
        UsageError: The mirror is not an address of HTTP, or contains a password.
    """
    mirror = os.environ.get(MIRROR, "").strip()
    if not mirror:
        return entry.address
    if urlsplit(mirror).scheme not in ("http", "https") or not urlsplit(mirror).netloc:
        raise UsageError(f"{MIRROR} is {mirror!r}, which is not an address such as https://example.org/weights")
    if "@" in urlsplit(mirror).netloc:
        raise UsageError(f"{MIRROR} contains a name and a password, which are not sent to a mirror")
    return f"{mirror.rstrip('/')}/{quote(entry.file)}"


def is_offline() -> bool:
    """Returns whether the environment variable HYPERACUITY_OFFLINE forbids downloads."""
    return os.environ.get(OFFLINE, "").strip().lower() not in ("", "0", "false", "no")
