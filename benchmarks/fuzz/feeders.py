"""Processes that feed pieces of messages; where one ends before its piece is fed, it is told at which message, and how it ended."""

from __future__ import annotations

import json
import signal
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

from benchmarks.fuzz.worker import names, serve

#: How often a piece is fed before it is given up.
TRIES = 2
#: Signals that come from outside: no decoder sends them, and memory that one takes shows in the kernel's count.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def feed(pieces: Iterable[tuple[int, int]], processes: int) -> Iterator[dict[str, Any]]:
    """Feed pieces of (messages, seed), each in one process of several.

    A process that ends before its piece is fed gives a line of its own: `ended` says how, `decoder` and `after` which decoder it was
    feeding and how many messages it had had, `outside` whether somebody else ended it. Its piece, the same messages, is fed again.

    Yields:
        What `benchmarks.fuzz.worker.work` returns of a piece, or such a line.
    """
    waiting, tries = deque(pieces), Counter[int]()
    feeders: list[_Feeder] = []
    try:
        while waiting or feeders:
            while waiting and len(feeders) < processes:
                feeders.append(_Feeder())
                feeders[-1].give(waiting.popleft())
            for ready in connection.wait([feeder.line for feeder in feeders]):
                feeder = next(feeder for feeder in feeders if feeder.line is ready)
                try:
                    yield feeder.fed()
                except (EOFError, OSError):
                    feeders.remove(feeder)
                    yield feeder.ended()
                    tries[feeder.job[1]] += 1
                    if tries[feeder.job[1]] < TRIES:
                        waiting.appendleft(feeder.job)
                    continue
                if waiting:
                    feeder.give(waiting.popleft())
                else:
                    feeders.remove(feeder)
                    feeder.close()
    finally:
        for feeder in feeders:
            feeder.close()


def how_it_ended(code: int) -> str:
    """Return an exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def by_others(code: int, killed_for_memory: int | None) -> bool:
    """Return whether no message can have ended a process: a signal of somebody else's, and none killed for want of memory meanwhile."""
    return -code in _FROM_OUTSIDE and killed_for_memory == 0


class _Feeder:
    """One process, and what it is feeding."""

    def __init__(self) -> None:
        made = get_context("spawn")
        self.line, theirs = made.Pipe()
        self._place = made.RawArray("q", 2)
        self._process = made.Process(target=serve, args=(theirs, self._place), daemon=True)
        self._before = _killed_for_memory()
        self._process.start()
        theirs.close()  # so that this line ends with the process
        self.job = (0, 0)

    def give(self, job: tuple[int, int]) -> None:
        self.job = job
        self.line.send_bytes(json.dumps(job).encode())

    def fed(self) -> dict[str, Any]:
        """Return what came of the job.

        Raises:
            EOFError: The process has ended. An OSError says the same.
        """
        done: dict[str, Any] = json.loads(self.line.recv_bytes())
        return done

    def ended(self) -> dict[str, Any]:
        """Return how the process ended, and where it was."""
        self._process.join()
        code = self._process.exitcode or 0
        after = _killed_for_memory()
        killed = None if after is None or self._before is None else after - self._before
        number, fed = self._place
        decoder = names()[number - 1] if number else "none: it was still starting"
        told = {"ended": how_it_ended(code), "decoder": decoder, "after": fed, "killed_for_memory": killed}
        return {"seed": self.job[1], **told, "outside": by_others(code, killed)}

    def close(self) -> None:
        self.line.close()
        self._process.terminate()
        self._process.join()


def _killed_for_memory() -> int | None:
    """Return how many processes the kernel has killed for want of memory since it started; None where it does not say."""
    try:
        text = Path("/proc/vmstat").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), None)
