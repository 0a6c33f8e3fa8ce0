"""`hyperacuity users`: who may use a server that has `--auth`."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from hyperacuity.cli.serve import Config, Data, Store, read_server_options
from hyperacuity.errors import UsageError

_ACTIONS = ("add", "token", "remove", "list")


def command(
    action: Annotated[str, typer.Argument(metavar="add|token|remove|list", help="What to do.")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The user.")] = None,
    data: Data = None,
    store: Store = None,
    config: Config = None,
) -> None:
    """Manage the users of a server.

    hyperacuity users add ada        asks for a password, or reads it from standard input
    hyperacuity users token ada      prints a token for programs, once
    hyperacuity users remove ada     with all tokens and sessions
    hyperacuity users list
    """
    from hyperacuity.server import accounts
    from hyperacuity.server.store import open_store

    if action not in _ACTIONS:
        raise UsageError(f"users {action}: give one of {', '.join(_ACTIONS)}")
    if (name is None) != (action == "list"):
        raise UsageError("say whom: hyperacuity users add NAME" if name is None else "users list takes no name")
    options = read_server_options(config, data=data, store=store)
    opened = open_store(options.store, options.data)
    try:
        if action == "list":
            _print("\n".join(user.name for user in opened.users()))
        elif action == "add":
            accounts.add_user(opened, str(name), _password())
            _print(f"{name} can log in.")
        elif action == "token":
            _print(accounts.add_token(opened, str(name)))
        else:
            accounts.remove_user(opened, str(name))
            _print(f"{name} is removed.")
    finally:
        opened.close()


def _print(text: str) -> None:
    if text:
        sys.stdout.write(text + "\n")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise UsageError("the two passwords differ")
    return password
