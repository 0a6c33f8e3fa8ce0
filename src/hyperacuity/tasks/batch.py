"""Many tasks, several at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from hyperacuity.task import Outcome, Stop, Task
from hyperacuity.tasks.observer import Observer
from hyperacuity.tasks.pipes import Pipes
from hyperacuity.tasks.run import run
from hyperacuity.tasks.upscalers import Upscalers

# Seconds after which a request to stop is noticed, and after which Windows delivers Ctrl-C.
_POLL = 0.2


def batch(
    tasks: Iterable[Task],
    observer: Observer | None = None,
    stop: Stop | None = None,
    *,
    workers: int = 1,
    pipes: Pipes | None = None,
    upscalers: Upscalers | None = None,
) -> Iterator[Outcome]:
    """Run tasks, several at once, and continue after those that fail.

    Tasks of equal options share one model.

    Args:
        tasks: The tasks, taken as workers become free.
        observer: Receives the reports, from the threads of the tasks.
        stop: When it is set, running tasks end and no others start.
        workers: The number of tasks that run at once.
        pipes: Streams for tasks whose source or target is "-".
        upscalers: Open models to share with other batches.

    Yields:
        The outcome of each task, in the order in which tasks finish.

    Raises:
        Stopped: `stop` was set; the running tasks have ended and left no half-written file.
        BrokenPipeError: The reader of a pipe has closed it.
    """
    observer, stop, upscalers = observer or Observer(), stop or Stop(), upscalers or Upscalers()
    waiting = iter(tasks)
    running: set[Future[Outcome]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                # Submit no more tasks than can run, so that a stop need not cancel thousands.
                while len(running) < workers and (task := next(waiting, None)) is not None:
                    running.add(pool.submit(run, task, observer, stop, pipes=pipes, upscalers=upscalers))
                if not running:
                    return
                finished, running = wait(running, timeout=_POLL, return_when=FIRST_COMPLETED)
                if stop.is_set():
                    observer.stopping()
                    stop.check()
                for future in finished:
                    yield future.result()
        except BaseException:
            stop.set()  # set for the tasks that still run, which the executor waits for
            raise
