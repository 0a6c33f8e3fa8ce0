"""From a name of the catalogue to models in the cache folder."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import machine, storage, zoo
from hyperacuity.errors import LEAVE_OUT, DamagedFile, MissingDependency, UsageError, Use, WeightsError
from hyperacuity.fetch.addresses import OFFLINE, address_of, is_offline
from hyperacuity.fetch.transfer import Observe, Patience, download
from hyperacuity.fetch.verification import check
from hyperacuity.zoo import PublishedWeights

# What the importer runs on.
_CONVERSION = ("torch", "onnx", "onnxscript")


@dataclass(frozen=True)
class Installed:
    """What `install` has made.

    Attributes:
        entry: Of the catalogue.
        files: The models' files with their cards, or the file itself if it is no model.
        is_new: Whether it was installed now; otherwise it was there.
    """

    entry: PublishedWeights
    files: tuple[Path, ...]
    is_new: bool = True


def install(
    name: str,
    *,
    from_file: Path | None = None,
    accept_licence: bool = False,
    offline: bool = False,
    force: bool = False,
    observe: Observe = lambda done, total: None,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> Installed:
    """Download published weights, verify them and convert them into models.

    Args:
        name: Of the catalogue.
        from_file: The file, if it is here already: nothing is downloaded.
        accept_licence: Whether the user agrees to the licence; asked for only if it is not free.
        offline: Use only what has been downloaded before.
        force: Install it again, in place of the models that are there.
        observe: Called during the download, see `transfer.download`.
        patience: How long to wait for the server.

    Returns:
        What was installed; nothing is done if it is there already.

    Raises:
        UnknownModel: The catalogue does not have it.
        UsageError: The licence was not agreed to, or a download is needed and not allowed.
        MissingDependency: The conversion needs packages that are missing; raised before anything is downloaded.
        Unreachable: The file cannot be downloaded.
        WeightsError: The file is not the one that was published.
    """
    entry = zoo.find_published(name)
    files = _files(entry)
    if not force and all(file.is_file() for file in files):
        return Installed(entry, files, is_new=False)
    if not (entry.is_free or accept_licence):
        raise UsageError(
            f"the licence of {entry.name} is {entry.licence}, so that not every use is free; read "
            f"https://github.com/{entry.source} first",
            Use(accept_licence=True),
        )
    _check_packages(entry)
    source = from_file or _downloaded(entry, offline or is_offline(), observe, patience)
    if from_file is not None:
        _check_given(from_file, entry)
    _convert(source, entry)
    if from_file is None:
        source.unlink(missing_ok=True)  # the models hold the same numbers
    return Installed(entry, files)


def _files(entry: PublishedWeights) -> tuple[Path, ...]:
    if not entry.scales:
        return (zoo.fetched_folder().with_name("files") / entry.file,)
    return tuple(zoo.fetched_folder() / f"{name}.safetensors" for name in entry.model_names)


def _check_packages(entry: PublishedWeights) -> None:
    missing = [package for package in _CONVERSION if importlib.util.find_spec(package) is None]
    if entry.scales and missing:
        raise MissingDependency(
            f"converting {entry.name} needs {' and '.join(missing)}, once: pip install 'hyperacuity[train]'"
        )


def _downloaded(entry: PublishedWeights, offline: bool, observe: Observe, patience: Patience) -> Path:
    """The verified file, downloaded unless it is here."""
    target = machine.cache_folder() / "downloads" / entry.file
    if target.is_file():
        try:
            check(target, entry)
            return target
        except WeightsError:
            target.unlink()
    if offline:
        raise UsageError(
            f"{entry.name} has not been downloaded, and downloads are not allowed ({OFFLINE} or the option)",
            Use(offline=LEAVE_OUT),
            Use(from_file="FILE"),
        )
    part = target.with_name(f"{target.name}.part")
    resumed = part.exists()
    address = address_of(entry)
    try:
        download(address, part, size=entry.size, observe=observe, patience=patience)
        try:
            _check_or_remove(part, entry)
        except WeightsError:
            if not resumed:
                raise
            # What an earlier run left may have been the beginning of another file.
            download(address, part, size=entry.size, observe=observe, patience=patience)
            _check_or_remove(part, entry)
    except DamagedFile as error:
        raise error.within(address) from error
    with storage.storing(target):
        part.replace(target)
    return target


def _check_or_remove(part: Path, entry: PublishedWeights) -> None:
    try:
        check(part, entry)
    except WeightsError as error:
        part.unlink(missing_ok=True)
        raise WeightsError(f"{error.message}; it was removed, and nothing has read it") from error


def _check_given(file: Path, entry: PublishedWeights) -> None:
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    check(file, entry)


def _convert(source: Path, entry: PublishedWeights) -> None:
    """Write the models of a verified file, or the file itself if it is no model."""
    if not entry.scales:
        (target,) = _files(entry)
        with storage.storing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            storage.write_whole(target, source.read_bytes())
        return
    from hyperacuity import importer

    for name, scale in zip(entry.model_names, entry.scales, strict=True):
        importer.convert(
            source,
            zoo.fetched_folder(),
            name=name,
            architecture=entry.network,
            scale=scale,
            licence=entry.licence,
            trained_on=f"see https://github.com/{entry.source}",
            source=entry.address,
            force=True,
        )
