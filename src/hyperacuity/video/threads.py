"""Work at the same time: reading ahead of the network, several frames in it, and writing behind it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Frames that may wait on either side: enough to bridge a slow one, few enough for videos of any size.
WAITING = 4
# How often a thread that waits looks whether it is still wanted, in seconds.
_LOOK = 0.1


class _End:
    """Comes after the last item: with what went wrong, or nothing."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Channel(Generic[T]):
    """A short queue that can be given up by either end."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._items: queue.Queue[Any] = queue.Queue(waiting)
        self.stop = threading.Event()

    def put(self, item: Any) -> bool:
        """Whether it was taken; False once the channel is given up."""
        while not self.stop.is_set():
            try:
                self._items.put(item, timeout=_LOOK)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[T]:
        while not self.stop.is_set():
            try:
                item = self._items.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item


@contextmanager
def ahead(source: Iterable[T]) -> Iterator[Iterator[T]]:
    """The items of `source`, made in a thread of their own; an error there is raised where they are read."""
    channel: _Channel[T] = _Channel()

    def work() -> None:
        end = _End()
        iterator = iter(source)
        try:
            for item in iterator:
                if not channel.put(item):
                    break
        except BaseException as error:  # handed over to the reader
            end = _End(error)
        finally:
            if hasattr(iterator, "close"):
                iterator.close()  # in this thread, which is the one that runs it
        channel.put(end)

    with _running(work, channel):
        yield iter(channel)


def abreast(jobs: Iterable[Callable[[], T]], workers: int, stop: threading.Event) -> Generator[T]:
    """What the jobs return, in their order, `workers` of them at work; each begins before those after it.

    stop: is set when no more are wanted, so that those at work may end.
    """
    pool = ThreadPoolExecutor(workers, "hyperacuity-frames")
    running: deque[Future[T]] = deque()
    try:
        for job in jobs:
            running.append(pool.submit(job))
            if len(running) > workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


@contextmanager
def behind(sink: Callable[[T], None], waiting: int = WAITING) -> Iterator[Callable[[T], None]]:
    """A function that has `sink` take its items in a thread of their own; all are taken when the block ends well.

    waiting: how many may wait for it. An error there is raised by the next call, or at the end.
    """
    channel: _Channel[T] = _Channel(waiting)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for item in channel:
                sink(item)
        except BaseException as error:  # raised again in `put`, or at the end
            failed.append(error)
            channel.stop.set()

    def put(item: T) -> None:
        if not channel.put(item):
            raise failed[0]

    with _running(work, channel) as thread:
        yield put
        channel.put(_End())
        thread.join()
    if failed:
        raise failed[0]


@contextmanager
def _running(work: Callable[[], None], channel: _Channel[Any]) -> Iterator[threading.Thread]:
    import contextvars

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        channel.stop.set()
        thread.join()
