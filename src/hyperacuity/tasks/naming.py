"""How results are named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hyperacuity import formats
from hyperacuity.errors import LEAVE_OUT, OTHER, HyperacuityError, UsageError, Use
from hyperacuity.formats.dicom.recognition import accepts as is_dicom
from hyperacuity.formats.expected import is_foreign
from hyperacuity.formats.nifti.recognition import SUFFIXES as NIFTI_SUFFIXES
from hyperacuity.formats.nifti.recognition import accepts as is_nifti
from hyperacuity.formats.nifti.recognition import split_name
from hyperacuity.formats.raster.recognition import SUFFIXES as RASTER_SUFFIXES
from hyperacuity.formats.raster.recognition import accepts as is_raster
from hyperacuity.storage import real_path
from hyperacuity.tasks.pipes import PIPE

# Names that Windows gives to devices, with any ending; so are COM1 to COM9 and LPT1 to LPT9.
_DEVICES = ("CON", "PRN", "AUX", "NUL")
# /dev/stdout may well be a file.
_DEVICE_FOLDERS = (Path("/dev"), Path("/dev/fd"))


@dataclass(frozen=True)
class Naming:
    """Derives the names of results from the names of sources.

    Attributes:
        suffix: Appended to each name; None for `default` if the name would otherwise be that of the source.
        default: The suffix of the size, such as "-x2".
        extension: The ending of each result, such as ".png"; None for that of the source.
        keep_ending: Whether the name of a result with another ending contains that of the source: "a.jpg.png".
    """

    suffix: str | None
    default: str
    extension: str | None
    keep_ending: bool = False

    def of_kind(self, *, is_video: bool) -> Naming:
        """Returns the naming without an extension that results of this kind cannot have."""
        fits = self.extension is None or formats.names_video(Path(f"a{self.extension}")) == is_video
        return self if fits else replace(self, extension=None)

    def name(self, source: Path, folder: Path) -> Path:
        """Returns the path in `folder` for the result of `source`."""
        extension = self._extension(source)
        same_folder = real_path(folder) == real_path(source.parent)
        suffix = self.suffix if self.suffix is not None else self.default if same_folder else ""
        if source.is_dir():  # a series of slices
            return folder / f"{source.name}{suffix}"
        stem, own = split_name(source)
        kept = own if self.keep_ending and own.lower() != extension.lower() else ""
        return folder / f"{stem}{kept}{suffix}{extension}"

    def _extension(self, source: Path) -> str:
        if source.is_file() and (medical := _medical_ending(source)) is not None:
            return medical
        if is_foreign(source) and not _is_readable(source):
            return source.suffix  # its task reports why it is left out, and its name must not be in the way of others
        return self.extension or _ending(source)

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
        if folder.parent in _DEVICE_FOLDERS or (folder.exists() and not (folder.is_file() or folder.is_dir())):
            raise UsageError(
                f"{output} is a device or a pipe, which are written through standard output", Use(output=PIPE)
            )
        if source.is_dir() and root == source:  # the files of a series lie in the requested folder itself
            return folder
        is_folder = folder.is_dir() or output.endswith(("/", "\\"))
        if several or is_folder:
            if folder.is_file():
                raise UsageError(f"{output} is a file, but the results need a folder", Use(output=OTHER))
            if piped:
                raise UsageError(f"standard input has no name that could be used in {output}", Use(output="larger.png"))
            if _names_file(folder) and not is_folder:
                raise UsageError(f"{output} names one file for several images", Use(output=f"{output}/"))
            return self.name(source, folder / source.parent.relative_to(root) if root else folder)
        if self.extension is None and not piped and _names_folder(folder):
            return self.name(source, folder)
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
        return formats.ending(source)
    except HyperacuityError:
        return ".png"  # the task of this file will report what is wrong with it


def _medical_ending(source: Path) -> str | None:
    """The ending of an enlarged medical image, which stays in its format; None for other files."""
    if is_nifti(source):
        ending = split_name(source)[1]
        return ending if ending.lower() in NIFTI_SUFFIXES else NIFTI_SUFFIXES[ending.lower().endswith(".gz")]
    return source.suffix if is_dicom(source) else None


def _is_readable(source: Path) -> bool:
    try:
        formats.ending_of_content(source)
    except HyperacuityError:
        return False
    return True


def find_windows_fault(name: str) -> str | None:
    """Returns what keeps Windows from storing a file of this name, or None."""
    characters = sorted({*name} & {*'<>:"/\\|?*'} | {one for one in name if ord(one) < 32})
    if characters:
        return f"the character {characters[0]!r}"
    stem = name.partition(".")[0].rstrip().upper()
    if stem in _DEVICES or (stem[:-1] in ("COM", "LPT") and stem[-1] in "123456789"):
        return f"{stem}, the name of a device"
    return "a space or dot at the end" if name != name.rstrip(" .") else None


def _names_folder(path: Path) -> bool:
    """Whether a path that does not exist yet names a folder: it has no ending, such as "larger" or "v1.2"."""
    return not path.suffix or path.suffix[1:].isdigit()


def _names_file(path: Path) -> bool:
    return formats.knows(path) or formats.names_video(path) or split_name(path)[1].lower() in (*NIFTI_SUFFIXES, ".dcm")
