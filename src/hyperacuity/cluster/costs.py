"""Estimates how long files take, so that small ones can be put together."""

from __future__ import annotations

from pathlib import Path

from hyperacuity import formats, zoo
from hyperacuity.stores import open_store
from hyperacuity.task import Options, Task

# Megapixels of the result a second where the speed of the model was not measured, and at most: files must be read and
# written too.
_UNKNOWN, _FASTEST = 1.0, 8.0
# Seconds for a video or a series of slices: it gets a task of its own.
_LONG = 1e9
# Bytes of a stored image for each of its pixels, about.
_BYTES = 1.0


class CostMeter:
    """Estimates by the size of the result and by the measured speed of the model.

    Args:
        options: The model.
    """

    def __init__(self, options: Options) -> None:
        self._speed = _UNKNOWN
        if options.model_path is None:
            name = zoo.DEFAULT if options.model in (None, zoo.AUTO) else str(options.model)
            speeds = zoo.speed()[0]
            known = [speeds[each.card.name] for each in zoo.find_models(name) if each.card.name in speeds]
            self._speed = min([*known, _FASTEST]) if known else _UNKNOWN
        if options.tta:
            self._speed /= 8

    def estimate(self, task: Task, source: Path | None) -> float:
        """Returns about how many seconds a file takes.

        Args:
            task: The request.
            source: The file as a local path; None if it is in a remote store, where its size in bytes must do.
        """
        if formats.names_video(Path(task.source)) or (source is not None and source.is_dir()):
            return _LONG
        size = None if source is None else _header_size(source)
        if size is None:
            entry = open_store(task.source).find(task.source)
            side = max(1, round((entry.size / _BYTES) ** 0.5)) if entry is not None else 1
            size = side, side
        height, width = task.size.resolve(*size)
        return height * width / 1e6 / self._speed


def _header_size(source: Path) -> tuple[int, int] | None:
    """(height of all frames, width) by the header alone; None for what Pillow cannot read."""
    from hyperacuity.formats.photo import pillow

    return pillow.read_header(source, lambda image: (image.height * getattr(image, "n_frames", 1), image.width))
