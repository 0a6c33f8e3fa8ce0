"""How results are named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hyperacuity import api, formats
from hyperacuity.errors import LEAVE_OUT, OTHER, HyperacuityError, UsageError, Use
from hyperacuity.formats.raster.recognition import SUFFIXES as RASTER_SUFFIXES
from hyperacuity.formats.raster.recognition import accepts as is_raster
from hyperacuity.tasks.pipes import PIPE


@dataclass(frozen=True)
class Naming:
    """Derives the names of results from the names of sources.

    Attributes:
        suffix: Appended to each name; None for `default` if the name would otherwise be that of the source.
        default: The suffix of the size, such as "-x2".
        extension: The ending of each result, such as ".png"; None for that of the source.
    """

    suffix: str | None
    default: str
    extension: str | None

    def name(self, source: Path, folder: Path) -> Path:
        """Returns the path in `folder` for the result of `source`."""
        extension = self.extension or _ending(source)
        same_folder = folder.resolve() == source.parent.resolve()
        suffix = self.suffix if self.suffix is not None else self.default if same_folder else ""
        return folder / f"{source.stem}{suffix}{extension}"

    def find_target(self, source: Path, root: Path | None, output: str | None, *, several: bool) -> Path:
        """Returns the path for the result of one source.

        Args:
            source: The file, or "-".
            root: The folder in which it was found, if any; its subfolders are kept.
            output: The requested file or folder, "-", or None for the folder of the source.
            several: Whether there are more results than this one.

        Raises:
            UsageError: The output does not fit this source.
        """
        piped = source == Path(PIPE)
        if output is None:
            return Path(PIPE) if piped else self.name(source, source.parent)
        folder = Path(output)
        is_folder = folder.is_dir() or output.endswith(("/", "\\"))
        if several or is_folder:
            if folder.is_file():
                raise UsageError(f"{output} is a file, but the results need a folder", Use(output=OTHER))
            if piped:
                raise UsageError(f"standard input has no name that could be used in {output}", Use(output="larger.png"))
            if _names_file(folder) and not is_folder:
                raise UsageError(f"{output} names one file for several images", Use(output=f"{output}/"))
            return self.name(source, folder / source.parent.relative_to(root) if root else folder)
        if self.extension is None or folder.suffix.lower() == self.extension:
            return folder
        if _names_file(folder):
            raise UsageError(
                f"{output} ends in {folder.suffix}, but the requested format is {self.extension}",
                Use(ext=LEAVE_OUT),
                Use(output=OTHER),
            )
        return Path(output + self.extension)


def _ending(source: Path) -> str:
    """The ending of a result: that of the source if it can be written, else one for its content."""
    if formats.names_video(source):
        return source.suffix
    if formats.is_video(source):
        return ".mkv"  # it holds most kinds of streams
    if is_raster(source):
        return source.suffix if source.suffix.lower() in RASTER_SUFFIXES else RASTER_SUFFIXES[0]
    try:
        return api.ending(source)
    except HyperacuityError:
        return ".png"  # the task of this file will report what is wrong with it


def _names_file(path: Path) -> bool:
    return formats.knows(path) or formats.names_video(path)
