"""Open models, shared between tasks of equal options."""

from __future__ import annotations

import threading

from hyperacuity.task import Options
from hyperacuity.upscaler import Upscaler


class Upscalers:
    """Opens each model once, for any number of threads. Each stays open as long as this object."""

    def __init__(self) -> None:
        self._opened: dict[Options, Upscaler] = {}
        self._lock = threading.Lock()

    def get(self, options: Options) -> Upscaler:
        """Returns the upscaler for these options, opening it if they are new.

        Raises:
            HyperacuityError: As `api.load` does.
        """
        with self._lock:
            if options not in self._opened:
                self._opened[options] = Upscaler(options)
            return self._opened[options]
