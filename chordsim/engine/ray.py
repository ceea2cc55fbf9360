"""The engine on Ray: a Flower grid whose nodes are worker processes, on this machine or on a cluster.

A worker has one call at a time, so few objects are in flight. A call whose worker died, or hangs, is given to
whichever worker is free: phones keep no state on workers, so any of them gives the same bytes.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import ray
from flwr.app import Error, Message
from ray.exceptions import RayActorError, RayError

from chordsim.config.model import EngineConfig
from chordsim.engine import codec
from chordsim.engine.grid import RUN_ID, LocalGrid
from chordsim.engine.ray_cluster import Cluster
from chordsim.engine.ray_worker import Worker
from chordsim.errors import RunError

NODE_UNAVAILABLE = 5
#: How often a call is tried before its cell is lost: a cell that kills every worker must not do so for ever.
TRIES = 3
#: How long a worker may take to start or to come back; importing torch on a busy machine is slow.
START_S = 600.0
#: How often in a row a worker may fail to start before it is given up.
STARTS = 3
#: How often a run begins a cluster of its own anew that was lost with all workers.
RESTARTS = 2
WORKER: Any = Worker
_POLL_S = 0.5
_PASSED_ON = ("CHORDSIM_", "FLWR_")


@dataclass
class _Job:
    message: Message
    tries: int = TRIES


@dataclass
class _Seat:
    """One worker: its actor, and what it is doing.

    Attributes:
        partition: Its number.
        actor: Ray's handle.
        call: What is awaited: the answer to `job`, or without a job that it is ready; None when idle.
        job: The call under way.
        since: When the call went out, monotonic.
        failed_starts: How often in a row it did not become ready.
        lost: Given up.
    """

    partition: int
    actor: Any
    call: Any
    job: _Job | None = None
    since: float = 0.0
    failed_starts: int = 0
    lost: str = ""


class RayGrid(LocalGrid):
    """A grid over Ray actors. Use it as a context manager: it starts workers and leaves no process behind."""

    def __init__(self, client_app: str, engine: EngineConfig, address: str | None = None) -> None:
        """Prepare; nothing starts yet.

        Args:
            client_app: As "module:name".
            engine: How many workers.
            address: A Ray cluster that exists already.
        """
        self._client_app = client_app
        self._cluster = Cluster(engine.workers, address)
        self._seats: list[_Seat] = []
        self._restarts = 0

    def __enter__(self) -> Self:
        self._cluster.__enter__()
        try:
            super().__init__(self._cluster.workers)
            self._seats = [self._hired(n) for n in range(self._cluster.workers)]
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def describe(self) -> str:
        """Return what carries the work, for a person."""
        return f"{len(self._seats)} worker(s), one thread each, on {self._cluster.where}"

    def close(self) -> None:
        """End the workers, and Ray with them if it was started here."""
        try:
            for seat in () if self._cluster.private or self._cluster.silent else self._seats:
                ray.kill(seat.actor, no_restart=True)
        finally:
            self._seats = []
            self._cluster.close()

    def deliver(self, messages: list[Message], timeout: float | None) -> Iterator[Message]:
        """Give messages to workers and yield replies as they come.

        Args:
            messages: Numbered messages.
            timeout: Seconds that one call may take; a worker that takes longer is replaced and its call tried once more.

        Raises:
            RunError: No worker is left, and the cluster cannot be begun anew, or was too often.
        """
        jobs = deque(_Job(message) for message in messages)
        stored: dict[str, Any] = {}
        try:
            while jobs or any(seat.job for seat in self._seats):
                gone = self._cluster.lost() or self._assign(jobs, stored)
                awaited = {seat.call: seat for seat in self._seats if seat.call is not None}
                done: list[Any] = []
                if awaited and not gone:
                    try:
                        done, _ = ray.wait(list(awaited), num_returns=1, timeout=_POLL_S)
                    except OSError as error:  # answers of some size lie where the raylet is
                        gone = self._cluster.lost() or f"Ray's object store does not answer: {_brief(error)}"
                if gone or not awaited:
                    jobs.extendleft(seat.job for seat in self._seats if seat.job is not None)
                    self._begin_anew(gone or next((seat.lost for seat in self._seats if seat.lost), "no worker started"))
                    stored.clear()
                    continue
                for call in done:
                    yield from self._finished(awaited[call], jobs)
                yield from self._overdue(jobs, timeout)
        finally:
            for seat in self._seats:
                seat.job = None  # what a caller no longer waits for is thrown away when it comes

    def _begin_anew(self, why: str) -> None:
        """Start a private cluster again that was lost with all its workers: phones keep no state on them.

        Raises:
            RunError: It is not ours to start, or was lost too often.
        """
        if not self._cluster.private or self._restarts >= RESTARTS:
            again = f", {self._restarts + 1} times" if self._restarts else ""
            raise RunError(f"no worker is left on {self._cluster.where}{again}: {why}; chordsim run --resume goes on with what was played")
        self._restarts += 1
        self._seats = []
        self._cluster.restart()
        self._seats = [self._hired(n) for n in range(self._cluster.workers)]

    def _hired(self, partition: int) -> _Seat:
        environment = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        environment["OMP_NUM_THREADS"] = "1"
        options = {"num_cpus": self._cluster.cpus_per_worker, "scheduling_strategy": "SPREAD"}
        actor = WORKER.options(**options).remote(self._client_app, environment)
        return _Seat(partition, actor, actor.ready.remote(), since=time.monotonic())

    def _assign(self, jobs: deque[_Job], stored: dict[str, Any]) -> str:
        """Give each idle worker a call: one for its own node if there is one, else the oldest.

        Ray ends this process without a word when it stores an object and its raylet is gone, so that is asked before each.

        Returns:
            Why nothing can run here any more, "" where something can.
        """
        for seat in self._seats:
            if seat.call is not None or seat.lost or not jobs:
                continue
            own = self._node_ids[seat.partition]
            job = next((job for job in jobs if job.message.metadata.dst_node_id == own), jobs[0])
            data, blobs = codec.encode(job.message)
            node_id = job.message.metadata.dst_node_id
            node = (RUN_ID, node_id, self._node_ids.index(node_id), len(self._node_ids))
            size = len(data)
            try:
                for digest in blobs.keys() - stored.keys():
                    size = len(blobs[digest])
                    if gone := self._cluster.lost():
                        return gone
                    stored[digest] = ray.put(blobs[digest])
                size = len(data)
                if gone := self._cluster.lost():
                    return gone
                seat.call = seat.actor.answer.remote(data, node, tuple(blobs), *(stored[digest] for digest in blobs))
            except RayError as error:
                raise RunError(f"{self._cluster.where}: its object store cannot take {size:,} bytes: {_brief(error)}") from error
            jobs.remove(job)
            seat.job, seat.since = job, time.monotonic()
        return ""

    def _finished(self, seat: _Seat, jobs: deque[_Job]) -> Iterator[Message]:
        call, seat.call = seat.call, None
        job, seat.job = seat.job, None
        try:
            result = ray.get(call)
        except (RayError, OSError) as error:  # OSError: the raylet ended when the answer was there
            yield from self._failed(seat, job, jobs, error)
            return
        if isinstance(result, bytes):
            if job is not None:
                yield codec.decode(result)
        else:
            seat.failed_starts = 0
            self._cluster.watch(*result)

    def _failed(self, seat: _Seat, job: _Job | None, jobs: deque[_Job], error: Exception) -> Iterator[Message]:
        """Take note that a worker died: its call goes to another, and Ray starts it anew."""
        seat.failed_starts += job is None
        if seat.failed_starts >= STARTS:
            seat.lost = f"the worker does not start: {_brief(error)}"
        else:
            seat.call, seat.since = seat.actor.ready.remote(), time.monotonic()
        if job is not None:
            kind = "died" if isinstance(error, RayActorError) else "failed"
            yield from self._again(job, jobs, f"its worker {kind} {TRIES} times: {_brief(error)}{self._cluster.short_of_memory()}")

    def _overdue(self, jobs: deque[_Job], timeout: float | None) -> Iterator[Message]:
        """Replace workers that hang; a call that hangs twice is lost."""
        for seat in self._seats:
            waited = time.monotonic() - seat.since
            if seat.call is None or waited < (START_S if seat.job is None else timeout or float("inf")):
                continue
            job, place = seat.job, self._seats.index(seat)
            ray.kill(seat.actor, no_restart=True)
            if job is None:
                seat.call, seat.lost = None, f"the worker was not there within {START_S:g} s"
                continue
            self._seats[place] = self._hired(seat.partition)
            job.tries = min(job.tries, 2)
            yield from self._again(job, jobs, f"no answer within {timeout:g} s, twice")

    def _again(self, job: _Job, jobs: deque[_Job], reason: str) -> Iterator[Message]:
        job.tries -= 1
        if job.tries > 0:
            jobs.append(job)
        else:
            yield _lost(job, reason)


def _lost(job: _Job, reason: str) -> Message:
    return Message(Error(NODE_UNAVAILABLE, reason), reply_to=job.message)


def _brief(error: Exception) -> str:
    """Return the last telling line of Ray's long texts."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
