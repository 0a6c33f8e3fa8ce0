"""The store of a location."""

from __future__ import annotations

import functools

from hyperacuity.stores.local import LocalStore
from hyperacuity.stores.locations import check, scheme_of
from hyperacuity.stores.protocol import Store

_LOCAL = LocalStore()


def open_store(location: str) -> Store:
    """Returns the store that holds a path or a URL; one for all locations of a scheme.

    Raises:
        UsageError: The URL holds credentials, or no package knows its scheme.
        MissingDependency: fsspec, or the package for the scheme, is not installed.
    """
    scheme = scheme_of(check(location))
    return _remote(scheme) if scheme else _LOCAL


@functools.cache
def _remote(scheme: str) -> Store:
    from hyperacuity.stores.remote import RemoteStore

    return RemoteStore(scheme)
