"""Users and tokens in a store."""

from __future__ import annotations

import hashlib
import secrets

from hyperacuity.server.records import User, new_id
from hyperacuity.server.store.database import Database


class AccountStore(Database):
    """Who may use a server, in a database."""

    def add_user(self, name: str, password: str | None) -> User:
        """Keep a user; `password` is its hash. An existing one of this name gets the new password."""
        with self.transaction() as run:
            rows = run.rows("SELECT id, name FROM users WHERE name = ?", name)
            if rows:
                run.rows("UPDATE users SET password = ? WHERE name = ?", password, name)
                return User(*map(str, rows[0]))
            user = User(new_id(), name)
            sql = "INSERT INTO users (id, name, password, created) VALUES (?, ?, ?, ?)"
            run.rows(sql, user.id, name, password, self.now())
            return user

    def user(self, name: str) -> tuple[User, str | None] | None:
        """Return a user and the hash of the password, by name."""
        with self.transaction() as run:
            rows = run.rows("SELECT id, name, password FROM users WHERE name = ?", name)
        return (User(str(rows[0][0]), str(rows[0][1])), rows[0][2]) if rows else None

    def users(self) -> list[User]:
        """Return all users, by name."""
        with self.transaction() as run:
            return [User(*map(str, row)) for row in run.rows("SELECT id, name FROM users ORDER BY name")]

    def remove_user(self, name: str) -> bool:
        """Forget a user and the tokens; what they own stays until it expires. Returns whether there was one."""
        with self.transaction() as run:
            rows = run.rows("DELETE FROM users WHERE name = ? RETURNING id", name)
            for (owner,) in rows:
                run.rows("DELETE FROM tokens WHERE owner = ?", owner)
            return bool(rows)

    def add_token(self, owner: str, kind: str, expires: float) -> str:
        """Make a token for a user and return it; only its hash is kept.

        Args:
            owner: The user's id.
            kind: "api" for programs, "session" for a page.
            expires: Seconds since 1970.
        """
        token = secrets.token_urlsafe(32)
        with self.transaction() as run:
            sql = "INSERT INTO tokens (hash, owner, kind, created, expires) VALUES (?, ?, ?, ?, ?)"
            run.rows(sql, _hash(token), owner, kind, self.now(), expires)
        return token

    def token_owner(self, token: str, kind: str) -> User | None:
        """Return the user of a token that has not expired; a lookup by hash takes the same time for any token."""
        with self.transaction() as run:
            rows = run.rows(
                "SELECT users.id, users.name FROM tokens JOIN users ON users.id = tokens.owner "
                "WHERE tokens.hash = ? AND tokens.kind = ? AND tokens.expires > ?",
                _hash(token), kind, self.now(),
            )  # fmt: skip
        return User(*map(str, rows[0])) if rows else None

    def remove_token(self, token: str) -> None:
        """Forget a token."""
        with self.transaction() as run:
            run.rows("DELETE FROM tokens WHERE hash = ?", _hash(token))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
