"""The command line: arguments, progress and exit codes. The library does all of the work.

upscale, live, models ...   one command each: `command`
options                     the options that several commands share
wording                     errors and their cures as options
display, streams            what is printed; standard input and output
interruption                Ctrl-C as a request to stop, or as an exception
warning_lines               warnings as lines
values                      KEY=VALUE and spans of time
"""

from __future__ import annotations

import codecs
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
from hyperacuity.cli.interruption import ctrl_c_raises
from hyperacuity.cli.streams import OutputError, discard_output, escape_unprintable, occupy_closed_streams
from hyperacuity.cli.warning_lines import warnings_as_lines
from hyperacuity.cli.wording import describe

# Each is the name of a module here whose `command` is the command, or whose `app` holds several.
COMMANDS = (
    "upscale",
    "live",
    "models",
    "tune",
    "train",
    "interpolate",
    "import",
    "fetch",
    "quantise",
    "calibrate",
    "evaluate",
    "serve",
    "users",
    "cluster",
)


class _Commands(TyperGroup):
    """The commands. Where a file is taken for a command or for an option, the error shows what to write."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and os.path.exists(args[0]):
            name = escape_unprintable(args[0])
            ctx.fail(f"Say what to do with {name!r}: hyperacuity upscale {shlex.quote(name)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            option: str = getattr(error, "option_name", "")  # the parser's error for an unknown option
            for word in sys.argv[2:] if option else ():
                if word.startswith(option) and os.path.isfile(word):
                    name = escape_unprintable(word)
                    ctx.fail(f"{name!r} is taken for an option; write {shlex.quote(f'./{name}')}")
            raise


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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the `hyperacuity` command.

    It exits with 0 for success, 1 for a failure, 2 for an unknown option, 130 after Ctrl-C, 143 after `kill`.
    """
    occupy_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A file name with characters that the terminal's encoding lacks must not end a batch. ASCII is the locale "C",
        # which says nothing about the terminal.
        if hasattr(stream, "reconfigure"):
            plain = codecs.lookup(stream.encoding).name == "ascii" and "PYTHONIOENCODING" not in os.environ
            stream.reconfigure(encoding="utf-8" if plain else None, errors="backslashreplace")
    # `kill` and a closed terminal then clean up half-written files too.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP, and `nohup` has it ignored
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminate)
    try:
        with warnings_as_lines():
            _add(sys.argv[1:2])
            with ctrl_c_raises():
                app()
    except hyperacuity.HyperacuityError as error:
        sys.exit(f"hyperacuity: {escape_unprintable(describe(error))}")
    except OutputError as error:
        discard_output()
        sys.exit(f"hyperacuity: {error}")
    except BrokenPipeError:
        # The reader of our output has closed it and would not see a message.
        discard_output()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.filename is None:
            discard_output()  # the disk behind it is full
        where = "the output cannot be written" if error.filename is None else error.filename
        sys.exit(f"hyperacuity: {where}: {error.strerror or error}")


def _add(asked: list[str]) -> None:
    """Add only the requested command, or all of them if none is requested: importing takes time."""
    for name in [each for each in asked if each in COMMANDS] or COMMANDS:
        module = importlib.import_module(f"hyperacuity.cli.{name}{'_' * keyword.iskeyword(name)}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
            continue
        app.command(name, cls=getattr(module, "SeveralValues", None))(module.command)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
