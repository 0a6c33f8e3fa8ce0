"""Threads: read frames ahead of the network, compute several at once, and write results behind it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Frames that may wait on either side: enough to bridge a slow frame, few enough for large frames.
_WAITING = 4
# How often a waiting thread checks whether the channel was closed, in seconds.
_POLL = 0.1


class _End:
    """Marks the end of the items, with the error that ended them, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Channel(Generic[T]):
    """A short queue that either end can close by setting `stop`."""

    def __init__(self, waiting: int = _WAITING) -> None:
        self._items: queue.Queue[Any] = queue.Queue(waiting)
        self.stop = threading.Event()

    def put(self, item: Any) -> bool:
        """Returns whether the item was taken; False once the channel is closed."""
        while not self.stop.is_set():
            try:
                self._items.put(item, timeout=_POLL)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[T]:
        while not self.stop.is_set():
            try:
                item = self._items.get(timeout=_POLL)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item


@contextmanager
def read_ahead(source: Iterable[T]) -> Iterator[Iterator[T]]:
    """Iterate over `source` in another thread.

    Returns:
        A context manager for an iterator over the items; an error in that thread is raised by the iterator.
    """
    channel: _Channel[T] = _Channel()

    def work() -> None:
        end = _End()
        iterator = iter(source)
        try:
            for item in iterator:
                if not channel.put(item):
                    break
        except BaseException as error:  # the iterator raises it again
            end = _End(error)
        finally:
            if hasattr(iterator, "close"):
                iterator.close()  # in the thread that runs it
        channel.put(end)

    with _running(work, channel):
        yield iter(channel)


def in_order(jobs: Iterable[Callable[[], T]], workers: int, stop: threading.Event) -> Generator[T]:
    """Yield the results of the jobs in order; up to `workers` run at once, and they start in order.

    Args:
        jobs: Functions without arguments.
        workers: How many threads to use.
        stop: Set when no more results are needed, so that running jobs can end early.
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
def write_behind(sink: Callable[[T], None], waiting: int = _WAITING) -> Iterator[Callable[[T], None]]:
    """Call `sink` with items in another thread.

    Args:
        sink: Takes one item.
        waiting: How many items may wait for it.

    Returns:
        A context manager for a function that queues an item. All items are taken when the block ends without an
        error; an error of `sink` is raised by the next call, or at the end.
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
