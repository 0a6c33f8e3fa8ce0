"""The command line. It knows people: arguments, progress, exit codes; all work is done by the public API."""

from __future__ import annotations

import importlib
import keyword
import os
import shlex
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import hyperacuity
from hyperacuity.cli.talk import OutputError

# Each is a module here by its name, of which `command` is the command.
COMMANDS = ("upscale", "live", "models", "tune", "train", "interpolate", "import", "quantise", "evaluate")


class _Commands(TyperGroup):
    """The commands; a picture where one belongs gets the whole line as an answer."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and os.path.exists(args[0]):
            ctx.fail(f"Say what to do with {args[0]!r}: hyperacuity upscale {shlex.quote(args[0])}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="hyperacuity",
    help="Larger, sharper images with neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    cls=_Commands,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hyperacuity {hyperacuity.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The `hyperacuity` command: 0 when all went well, 1 for a failure, 2 for a wrong option, 130 for Ctrl-C."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A file name that this terminal's encoding does not know must not end a batch.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # So that `kill`, or a terminal that is closed, leaves no half-written file: the same clean-up as for any other end.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP, and `nohup` has it ignored
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminate)
    try:
        _add(sys.argv[1:2])
        app()
    except hyperacuity.HyperacuityError as error:
        sys.exit(f"hyperacuity: {error}")
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to say.
        _forget_output()
        sys.exit(1)
    except OutputError as error:
        _forget_output()
        sys.exit(f"hyperacuity: {error}")


def _add(asked: list[str]) -> None:
    """Make the command that is asked for known, or all of them: importing the others would delay it."""
    for name in [each for each in asked if each in COMMANDS] or COMMANDS:
        module = importlib.import_module(f"hyperacuity.cli.{name}{'_' * keyword.iskeyword(name)}")
        app.command(name, cls=getattr(module, "SeveralValues", None))(module.command)


def _open_closed_streams() -> None:
    """Let no file of ours become number 0, 1 or 2, which others take for the streams that were closed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the process


def _forget_output() -> None:
    """Python shall not try to write the rest of it at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
