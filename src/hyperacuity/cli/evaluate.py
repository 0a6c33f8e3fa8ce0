"""`hyperacuity evaluate`: how good models are, beside what the papers say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from hyperacuity.errors import UsageError

if TYPE_CHECKING:
    from hyperacuity.api import Upscaler
    from hyperacuity.evaluate import Protocol, Row, Sample


class SeveralValues(TyperCommand):
    """Lets an option take all values up to the next one: `--scale 2 3 4` is `--scale 2 --scale 3 --scale 4`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        several = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        spread: list[str] = []
        option = ""
        for word in args:
            if word.startswith("-") and word != "-":
                option = word if word in several else ""
            elif option and spread[-1] != option:
                spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)


def command(
    data: Annotated[list[Path], typer.Option("--data", help="Folders of pictures; each is a set, called like it.")],
    model: Annotated[
        list[str] | None,
        typer.Option("-n", "--model", help="Names from `hyperacuity models`; the default model if not given."),
    ] = None,
    model_path: Annotated[
        list[Path] | None, typer.Option("-m", "--model-path", help="Model files, too or instead.")
    ] = None,
    scale: Annotated[list[int] | None, typer.Option("-s", "--scale", min=2, help="2 if not given.")] = None,
    protocol: Annotated[str, typer.Option(help="classic, rgb, full-range-y.")] = "classic",
    against: Annotated[str | None, typer.Option(help="published: the papers' figures beside ours.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the table here.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the table here.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for crops side by side: LR, bicubic, each model, HR.")
    ] = None,
    engine: Annotated[str, typer.Option(help="auto, onnxruntime, pytorch.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    tta: Annotated[bool, typer.Option("-x", "--tta", help="Average over 8 flips and rotations.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite tables and pictures that exist.")] = False,
) -> None:
    """Measure models as the papers do.

    hyperacuity evaluate -n fsrcnn bicubic --data Set5 Set14 --scale 2 --against published
    """
    from hyperacuity import api
    from hyperacuity import evaluate as evaluation

    if against not in (None, "published"):
        raise UsageError(f"--against {against}: there is only published")
    for path in (csv, markdown):
        if path is not None and path.exists() and not force:
            raise UsageError(f"{path} exists: choose another name, or add --force")
    for folder in data:
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}")
    how = evaluation.protocol(protocol)
    names: list[str | Path | None] = [*(model or []), *(model_path or [])]
    upscalers = [api.load(name, engine=engine, device=device, tta=tta) for name in names or [None]]
    rows: list[Row] = []
    for folder in data:
        for factor in scale or [2]:
            for upscaler in upscalers:
                every = _watched(evaluation.samples(upscaler, folder, factor, how), folder, upscaler, factor)
                scores = [sample.scores for sample in every]
                rows.append(
                    evaluation.row(upscaler, folder, factor, how, scores, against_published=against is not None)
                )
            if pictures is not None:
                _show(upscalers, folder, factor, how, pictures, force)
    _print(rows)
    from hyperacuity.evaluate import report

    for path, text in ((csv, report.to_csv), (markdown, report.to_markdown)):
        if path is not None:
            path.write_text(text(rows), encoding="utf-8")


def _watched(every: Any, folder: Path, upscaler: Upscaler, scale: int) -> list[Sample]:
    """All samples, with a bar while they are computed."""
    from rich.console import Console
    from rich.progress import track

    from hyperacuity import datasets

    title = f"{upscaler.family[0].card.family} x{scale} {folder.name}"
    total = len(datasets.files([folder]))
    quiet = not sys.stderr.isatty()
    return list(track(every, title, total, console=Console(stderr=True), transient=True, disable=quiet))


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    from hyperacuity.evaluate import report

    columns, body = report.table(rows)
    table = Table(*columns, box=None)
    for line in body:
        table.add_row(*line)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    for statement in report.statements(rows):
        console.print(statement, style="dim", highlight=False)


def _show(upscalers: Sequence[Upscaler], folder: Path, scale: int, how: Protocol, output: Path, force: bool) -> None:
    """One PNG for each picture of a set, its panels in the order of its name."""
    from hyperacuity import api, datasets
    from hyperacuity.evaluate import report
    from hyperacuity.metrics import psnr
    from hyperacuity.size import Size

    output.mkdir(parents=True, exist_ok=True)
    shown = {"bicubic": api.load("bicubic")} | {u.family[0].card.family: u for u in upscalers}
    for path in datasets.files([folder]):
        pair = datasets.pair(datasets.picture(path), scale)
        results = [(name, upscaler.array(pair.lr, Size(scale=scale))) for name, upscaler in shown.items()]
        titled = [
            (f"{name} {psnr(how.view(result), how.view(pair.hr), border=scale, peak=255):.2f} dB", result)
            for name, result in results
        ]
        target = output / f"{folder.name}-{path.stem}-x{scale}.png"
        if target.exists() and not force:
            raise UsageError(f"{target} exists: choose another folder, or add --force")
        report.comparison(pair.lr, titled, pair.hr).save(target)
