"""Threads that compute chunks side by side, each chunk on one thread, so that no result depends on their number."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from functools import lru_cache
from queue import SimpleQueue
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def one_thread_per_product() -> None:
    """Let this thread's matrix products run on it alone: other thread counts give other last bits."""
    torch.set_num_threads(1)


@contextlib.contextmanager
def threads_per_product(count: int) -> Iterator[None]:
    """Let matrix products in the block run on so many threads, and put the number back after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pulse:
    """When a piece of work last showed that it goes on; None before it begins."""

    def __init__(self) -> None:
        self.last_s: float | None = None

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Take `beat` calls of this thread in the block as signs of life."""
        self.last_s = time.monotonic()
        token = _PULSE.set(self)
        try:
            yield
        finally:
            _PULSE.reset(token)

    def silent_s(self) -> float:
        """Return the seconds since the last sign of life, 0 before the first."""
        return 0.0 if self.last_s is None else time.monotonic() - self.last_s


_PULSE: ContextVar[Pulse | None] = ContextVar("chordsim_pulse", default=None)


def beat() -> None:
    """Show that the work of this thread goes on."""
    pulse = _PULSE.get()
    if pulse is not None:
        pulse.last_s = time.monotonic()


class Crew(Executor):
    """A pool whose threads do not keep the process alive, since the code of others may never come back."""

    def __init__(self, workers: int) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._waits = True
        for _ in range(workers):
            self.hire()

    def hire(self) -> None:
        """Add a thread, such as for one that hangs."""
        thread = Thread(target=self._work, name="chunk", daemon=True)
        self._threads.append(thread)
        thread.start()

    def abandon(self) -> None:
        """Do not wait for anybody at the end: a thread hangs."""
        self._waits = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Give a call to the next free thread."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # whoever asks for the result gets it
                future.set_exception(error)

        self._jobs.put(run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads once they are idle; wait for that unless one hangs."""
        if cancel_futures:
            with contextlib.suppress(Exception):
                while True:
                    self._jobs.get_nowait()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads if wait and self._waits else ():
            thread.join()

    def _work(self) -> None:
        one_thread_per_product()
        while (job := self._jobs.get()) is not None:
            job()
            del job  # what it computed is its caller's alone


class _Trainings:
    """How many trainings go on in this process."""

    def __init__(self) -> None:
        self.count, self.lock = 0, Lock()


_TRAININGS = _Trainings()


@contextlib.contextmanager
def training() -> Iterator[None]:
    """Say that a training goes on in the block, so that others leave it its processor (`together`)."""
    with _TRAININGS.lock:
        _TRAININGS.count += 1
    try:
        yield
    finally:
        with _TRAININGS.lock:
            _TRAININGS.count -= 1


def spare() -> bool:
    """Whether a training has more than one processor to itself; one that was given threads of its own uses those."""
    return _TRAININGS.count < 2 and torch.get_num_threads() == 1 and cores() > 1


def together(jobs: Sequence[Callable[[], T]]) -> Iterator[T]:
    """Yield what jobs that share nothing return, in their order, computed side by side where processors are to spare."""
    return _crew_of(os.getpid()).map(_called, jobs) if len(jobs) > 1 and spare() else map(_called, jobs)


def _called(job: Callable[[], T]) -> T:
    return job()


@lru_cache(maxsize=1)
def _crew_of(process: int) -> Crew:
    """Return the threads of this process that trainings share; one that was forked has none yet."""
    return pool(0)


def pool(workers: int) -> Crew:
    """Return a pool of ``workers`` threads (0: one per processor) for whole chunks."""
    return Crew(workers or cores())
