"""Users, their passwords and tokens, as the administrator of a server manages them."""

from __future__ import annotations

import time

from hyperacuity.errors import MissingDependency, UsageError
from hyperacuity.server.records import User
from hyperacuity.server.store import Store

_TOKEN_DAYS = 365.0
_SHORTEST_PASSWORD = 8


def add_user(store: Store, name: str, password: str) -> User:
    """Add a user, or give an existing one a new password.

    Raises:
        UsageError: The name or the password is too short or too long.
        MissingDependency: The packages of the server are not installed.
    """
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise MissingDependency("the server needs: pip install 'hyperacuity[server]'") from error
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise UsageError(f"{name!r} cannot be a user's name: give 1 to 100 printable characters")
    if not _SHORTEST_PASSWORD <= len(password) <= 1000:
        raise UsageError(f"the password has {len(password)} characters: give {_SHORTEST_PASSWORD} to 1000")
    return store.add_user(name, PasswordHasher().hash(password))


def add_token(store: Store, name: str, days: float = _TOKEN_DAYS) -> str:
    """Make a token for a program of a user and return it; the store keeps only its hash.

    Raises:
        UsageError: The user does not exist.
    """
    found = store.user(name)
    if found is None:
        raise _unknown(name)
    return store.add_token(found[0].id, "api", time.time() + 86400 * days)


def remove_user(store: Store, name: str) -> None:
    """Remove a user with all tokens and sessions; the user's jobs stay until they expire.

    Raises:
        UsageError: The user does not exist.
    """
    if not store.remove_user(name):
        raise _unknown(name)


def _unknown(name: str) -> UsageError:
    return UsageError(f"there is no user {name!r}")
