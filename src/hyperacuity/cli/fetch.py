"""`hyperacuity fetch`: downloads published weights and makes models of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hyperacuity.cli.options import Quiet
from hyperacuity.cli.wording import printed_warnings
from hyperacuity.errors import UsageError

if TYPE_CHECKING:
    from hyperacuity.fetch.transfer import Observe
    from hyperacuity.zoo import PublishedWeights


def command(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names from `hyperacuity models --available`.")],
    from_file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="The published file itself; nothing is downloaded.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Agree to a licence that is not free, without a question.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Download nothing; use what is here.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Install again what is installed.")] = False,
    quiet: Quiet = False,
) -> None:
    """Download published weights by name, verify them and convert them, for use as -n NAME.

    hyperacuity models --available                              what there is, with licences and sizes
    hyperacuity fetch RealESRGAN_x4plus                         resumes where an earlier download ended
    hyperacuity fetch RealESRGAN_x4plus --from FILE             on a machine without a network

    Proxies come from HTTPS_PROXY and HTTP_PROXY. HYPERACUITY_MIRROR is an address that has the files under their names,
    HYPERACUITY_CACHE the folder for downloads and models, and HYPERACUITY_OFFLINE=1 the same as --offline.
    """
    from hyperacuity import fetch, zoo

    entries = [zoo.find_published(name) for name in names]
    if from_file is not None and len(entries) > 1:
        raise UsageError("--from is one file: give one name with it")
    for entry in entries:
        accepted = accept_licence or _agreed(entry, quiet=quiet)
        with printed_warnings(), _shown(entry, downloads=not (offline or from_file), quiet=quiet) as observe:
            installed = fetch.install(
                entry.name,
                from_file=from_file,
                accept_licence=accepted,
                offline=offline,
                force=force,
                observe=observe,
            )
        if not quiet:
            _report(installed)


def _agreed(entry: PublishedWeights, *, quiet: bool) -> bool:
    """Show the licence; ask on a terminal if it is not free. Returns whether the user has agreed."""
    if entry.is_free or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    typer.echo(f"{entry.name}: licence: {entry.licence}; see https://github.com/{entry.source}", err=True)
    return typer.confirm("Do you agree to it?", err=True)


@contextmanager
def _shown(entry: PublishedWeights, *, downloads: bool, quiet: bool) -> Iterator[Observe]:
    """Say what is fetched, and draw a bar with the time that is left while it is downloaded."""
    from hyperacuity.fetch.addresses import address_of

    if not quiet:
        address = address_of(entry) if downloads else entry.address
        mirror = "" if address == entry.address else f", from the mirror {address}"
        typer.echo(f"{entry.name}: licence {entry.licence}, {entry.megabytes} MB, {entry.address}{mirror}", err=True)
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("connecting", total=None)
        begun = False

        def observe(done: int, total: int | None) -> None:
            nonlocal begun
            if not begun:  # what an earlier run has left must not count as speed
                bar.reset(row, total=total, completed=done, description="downloading")
                begun = True
            bar.update(row, completed=done, total=total)
            if done == total:
                bar.update(row, description="converting")

        yield observe


def _report(installed: object) -> None:
    from hyperacuity.fetch import Installed

    assert isinstance(installed, Installed)
    entry = installed.entry
    for file in installed.files:
        typer.echo(str(file) if installed.is_new else f"{file} is installed already")
    if entry.scales:
        name = entry.name if len(entry.scales) == 1 else entry.model_names[-1]
        typer.echo(f"try it: hyperacuity upscale -n {name} -s {entry.scales[-1]} photo.jpg")
