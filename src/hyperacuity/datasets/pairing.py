"""Finds the LR file of each HR file, or the result of each, by their names.

The names that the data sets of the field use are patterns in one table. A folder is paired by the first pattern that
fits all of its files, or else file by file, the patterns in order. A file is never used twice, and two that fit equally
well are used for none; sizes do not choose, they are checked afterwards.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hyperacuity import formats
from hyperacuity.datasets.files import list_images
from hyperacuity.errors import UsageError
from hyperacuity.formats.expected import is_foreign
from hyperacuity.storage import real_path

# Words that mark what a file is, in any case, between "-", "_", "." and spaces.
HR_WORDS = ("hr", "gt")
LR_WORDS = ("lr", "lq", "bic", "bicubic", "biclr", "lrbi", "lrbd", "lrdn")
RESULT_WORDS = ("sr", "out", "result", "larger", "enlarged", "upscaled")
# How many unpaired files an error names.
_NAMED = 3

# What may follow the name of an HR file in the name of its LR file, after the name alone.
_SUFFIXES = ("", "x{}", "_x{}", "-x{}")

# The part of a name by which a pattern pairs it; None for names that the pattern does not fit. A name is a path within
# its folder.
_Key = Callable[[str], str | None]


def find_lr(names: Sequence[str], folder: Path, scale: int) -> list[Path | None]:
    """Find the LR file of each HR image.

    Args:
        names: Paths of the HR files relative to their folder; their endings may be missing, and those of LR may differ.
        folder: The folder of the LR files.
        scale: The scale that an LR file's name, or its folder's, may carry.

    Returns:
        For each name its LR file, or None if missing.

    Raises:
        UsageError: For a folder without images.
    """
    return _assign(names, _relative(list_images(folder), folder), scale, LR_WORDS)


def pair_files(hr: Sequence[Path], hr_folder: Path, lr_folder: Path, scale: int) -> dict[Path, Path]:
    """Find the LR file of every HR file. LR may lie in the same folder as HR, or in a folder in it.

    Args:
        hr: The files below `hr_folder`; those that are LR files are left out.
        hr_folder: The folder of the HR files.
        lr_folder: The folder of the LR files.
        scale: HR pixels for each LR pixel along a side.

    Returns:
        The LR file of each HR file, in the order of `hr`.

    Raises:
        UsageError: If an HR file has no LR file; the message lists the patterns and the first files without one.
    """
    others = list_images(lr_folder)
    inside, around = real_path(hr_folder), real_path(lr_folder)
    if inside == around:
        hr = [path for path in hr if not _is_lr(path.stem, scale)]
        others = [path for path in others if _is_lr(path.stem, scale)]
    elif around.is_relative_to(inside):
        hr = [path for path in hr if not real_path(path).is_relative_to(around)]
    elif inside.is_relative_to(around):
        others = [path for path in others if not real_path(path).is_relative_to(inside)]
    found = _assign(_relative(hr, hr_folder), _relative(others, lr_folder), scale, LR_WORDS)
    return _complete(hr, found, others, lr_folder, "LR", _describe_lr(scale))


def pair_results(hr: Sequence[Path], hr_folder: Path, folder: Path, scale: int) -> dict[Path, Path]:
    """Find the finished result for every HR file, named by the patterns of LR files, or by one suffix for all of them.

    Raises:
        UsageError: If an HR file has no result; the message lists the patterns and the first files without one.
    """
    others = list_images(folder)
    names, known = _relative(hr, hr_folder), _relative(others, folder)
    found = _assign(names, known, scale, (*RESULT_WORDS, *LR_WORDS))
    if None in found:
        found = _by_common_suffix(names, known) or found
    described = f"NAME, NAME_x{scale}, NAME-x{scale}, NAME_SR, NAME_out, or NAME with one suffix for all"
    return _complete(hr, found, others, folder, "result", described)


def _patterns(words: Sequence[str], scale: int) -> Iterable[tuple[_Key, _Key]]:
    """The patterns in order: for each the key of an HR file, and that of a file on the other side."""

    def plain(name: str) -> str:
        return _without_scale_folders(_stem(name), scale)

    yield (lambda name: name), (lambda name: name)  # with its ending
    for suffix in _SUFFIXES:
        yield plain, functools.partial(lambda suffix, name: _without(plain(name), suffix), suffix.format(scale))
    for scaled in (False, True):
        by_hr_words = functools.partial(_by_words, words=HR_WORDS, scale=scale, scaled=scaled)
        by_words = functools.partial(_by_words, words=words, scale=scale, scaled=scaled, alone=True)
        yield by_hr_words, by_words
    yield (lambda name: by_hr_words(name).casefold()), (lambda name: by_words(name).casefold())


def _assign(names: Iterable[str], others: Mapping[str, Path], scale: int, words: Sequence[str]) -> list[Path | None]:
    """The file of `others` for each name, by the first pattern that fits all names, or by all patterns in order."""
    names = list(names)
    together: dict[str, str] = {}
    for pattern in _patterns(words, scale):
        matched = _match(names, others, pattern)
        if len(matched) == len(names):
            return [others[matched[name]] for name in names]
        used = {*together.values()}
        left = [name for name in names if name not in together]
        together |= _match(left, [name for name in others if name not in used], pattern)
    return [others[together[name]] if name in together else None for name in names]


def _match(names: Iterable[str], others: Iterable[str], pattern: tuple[_Key, _Key]) -> dict[str, str]:
    """The pairs of one pattern: names whose key is that of one name on each side."""
    mine, theirs = (_by_key(side, key) for side, key in zip((names, others), pattern, strict=True))
    return {same[0]: theirs[key][0] for key, same in mine.items() if len(same) == 1 and len(theirs.get(key, ())) == 1}


def _by_key(names: Iterable[str], key: _Key) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        if (value := key(name)) is not None:
            found.setdefault(value, []).append(name)
    return found


def _by_common_suffix(names: Iterable[str], others: Mapping[str, Path]) -> list[Path | None] | None:
    """The file for each name whose stem is that name and a suffix that is the same for all; None if there is none."""
    stems = {_stem(name): path for name, path in others.items()}
    mine = [_stem(name) for name in names]
    for stem in stems:
        suffix = stem.removeprefix(mine[0])
        if stem.startswith(mine[0]) and all(name + suffix in stems for name in mine):
            return [stems[name + suffix] for name in mine]
    return None


def _without_scale_folders(name: str, scale: int) -> str:
    *folders, last = name.split("/")
    kept = [folder for folder in folders if folder.lower() not in (f"x{scale}", f"{scale}x")]
    return "/".join([*kept, last])


def _without(name: str, suffix: str) -> str | None:
    """A name without a suffix, in any case; None if it has none."""
    if not suffix:
        return name
    return name[: -len(suffix)] if name.lower().endswith(suffix.lower()) and len(name) > len(suffix) else None


def _by_words(name: str, words: Sequence[str], scale: int, *, scaled: bool, alone: bool = False) -> str:
    """A name without the words that mark it; if `scaled`, also without the scale next to them, or `alone`."""
    *folders, last = _without_scale_folders(_stem(name), scale).split("/")
    folders = [folder for folder in folders if _words_of(folder)[:1] and _words_of(folder)[0].lower() not in words]
    parts = _words_of(last)
    kept = [part for part in parts if part.lower() not in _marks(words, scale)]
    if scaled and (alone or len(kept) < len(parts)):
        kept = [part for part in kept if part.lower() not in (f"x{scale}", f"{scale}x")]
        kept = [part for n, part in enumerate(kept) if not _is_srf(kept, n, scale)]
    return "/".join([*folders, "_".join(kept)])


def _marks(words: Sequence[str], scale: int) -> list[str]:
    """The words alone and with the scale, such as "lr", "lrx2" and "lr2"."""
    return [f"{word}{scaled}" for word in words for scaled in ("", f"x{scale}", scale)]


def _is_srf(parts: Sequence[str], n: int, scale: int) -> bool:
    """Whether a part belongs to "SRF_2", the scale as some test sets write it."""
    return any([part.lower() for part in parts[at : at + 2]] == ["srf", str(scale)] for at in (n - 1, n) if at >= 0)


_INNER = re.compile(r"(?<=[0-9a-z])(?=(?:LR|HR|SR|GT)(?:x\d)?$)|(?<=[0-9])(?=[xX]\d$)")


def _words_of(name: str) -> list[str]:
    """The words of a name; "LR" and "HR" in capitals at the end of a word, and "x2" after a digit, are their own."""
    parts = [part for part in re.split(r"[-_. ]+", name) if part]
    return [word for part in parts for word in _INNER.split(part) if word]


def _is_lr(stem: str, scale: int) -> bool:
    """Whether a name is marked as that of an LR file."""
    words = [word.lower() for word in _words_of(stem)]
    hr = any(word in HR_WORDS for word in words)
    return not hr and (any(word in _marks(LR_WORDS, scale) for word in words) or stem.lower().endswith(f"x{scale}"))


def _relative(paths: Iterable[Path], folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _stem(name: str) -> str:
    path = Path(name)
    return name.removesuffix(path.suffix) if formats.readable(path) or is_foreign(path) else name


def _describe_lr(scale: int) -> str:
    return (
        f"NAME, NAMEx{scale}, NAME_x{scale}, NAME-x{scale}, NAME_bicLRx{scale}, NAME_SRF_{scale}_LR for "
        f"NAME_SRF_{scale}_HR, NAME_LR for NAME_HR or NAME, each also in a folder X{scale}"
    )


def _complete(
    hr: Sequence[Path], found: Sequence[Path | None], others: Sequence[Path], folder: Path, what: str, patterns: str
) -> dict[Path, Path]:
    """The pairs, all of which must have been found."""
    missing = [path for path, other in zip(hr, found, strict=True) if other is None]
    if missing:
        unused = [path.name for path in others if path not in found]
        raise UsageError(
            f"{folder} has no {what} for {_shortened([path.name for path in missing])}; unpaired there: "
            f"{_shortened(unused) if unused else 'none'}. Names that pair with NAME are {patterns}; no file pairs twice"
        )
    return {path: other for path, other in zip(hr, found, strict=True) if other is not None}


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
