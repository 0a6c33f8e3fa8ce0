"""The command line. It knows people: arguments, progress, exit codes; all work is done by the public API."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

import hyperacuity
from hyperacuity.cli import evaluate, models, train, upscale

app = typer.Typer(
    name="hyperacuity",
    help="Larger, sharper images with neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("upscale")(upscale.command)
app.command("models")(models.command)
app.command("train")(train.command)
app.command("evaluate", cls=evaluate.SeveralValues)(evaluate.command)


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
    for stream in (sys.stdout, sys.stderr):
        # A file name that this terminal's encoding does not know must not end a batch.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # So that `kill` leaves no half-written file either: the same clean-up as for any other end.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except hyperacuity.HyperacuityError as error:
        sys.exit(f"hyperacuity: {error}")
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to say, and Python shall not try to say it at exit.
        sys.stderr.close()
        sys.exit(1)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
