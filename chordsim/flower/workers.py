"""Nodes of anybody's ClientApp on Ray workers: each worker keeps its nodes' contexts and takes messages by the batch."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import ray
from flwr.app import Error, Message
from flwr.clientapp import ClientApp
from ray.exceptions import RayError

from chordsim.engine import codec
from chordsim.engine.grid import LocalGrid
from chordsim.engine.ray import NODE_UNAVAILABLE
from chordsim.engine.ray_cluster import Cluster
from chordsim.errors import RunError, UserError
from chordsim.flower.contexts import Config, context_of

#: So many messages go to a worker at once: enough that passing them is little beside answering them.
BATCH = 32
_START_S = 600.0


@ray.remote(max_restarts=-1, max_task_retries=0)
class Host:
    """One worker process: the nodes whose number it has, with their contexts."""

    def __init__(self, paths: list[str], environment: Mapping[str, str]) -> None:
        """Look for modules where the driver does, before the app is sent."""
        os.environ.update(environment)
        sys.path[:] = paths
        from chordsim.threads import one_thread_per_product

        one_thread_per_product()
        self._app: Any = None
        self._contexts: dict[int, Any] = {}

    def take(self, app: Any) -> tuple[int, str]:
        """Take the client app, or import it by its path; return this process's id and its Ray node."""
        if isinstance(app, str):
            from importlib import import_module

            module, _, name = app.partition(":")
            app = getattr(import_module(module), name)
        self._app = app
        return os.getpid(), ray.get_runtime_context().get_node_id()

    def answer(self, batch: list[bytes], nodes: list[tuple[int, int, int]], run_config: dict[str, Any]) -> list[bytes] | None:
        """Answer messages, encoded; ``nodes`` holds id, partition and partitions of each. None before the app has come."""
        from chordsim.engine.node import answer_encoded

        if self._app is None:
            return None
        out = []
        for data, node in zip(batch, nodes, strict=True):
            context = self._contexts.setdefault(node[0], context_of(*node, run_config))
            out.append(answer_encoded(self._app, data, context))
        return out


_HOST: Any = Host


class PhonesOnRay(LocalGrid):
    """A grid of many nodes over few Ray workers. Use it as a context manager: it leaves no process behind."""

    def __init__(self, client_app: ClientApp | str, nodes: int, workers: int = 0, run_config: Config | None = None) -> None:
        """Prepare; nothing starts yet.

        Args:
            client_app: Runs on every node: the app, whose module workers must find, or its path as "module:name".
            nodes: How many; node n holds partition n.
            workers: Processes; 0 is one per processor.
            run_config: The app's own configuration.

        Raises:
            UserError: No node.
        """
        if nodes < 1:
            raise UserError(f"nodes = {nodes}: at least 1")
        super().__init__(nodes)
        self._app, self._config = client_app, dict(run_config or {})
        self._cluster = Cluster(workers, None)
        self._hosts: list[Any] = []

    def __enter__(self) -> Self:
        self._cluster.__enter__()
        try:
            kept = {name: value for name, value in os.environ.items() if name.startswith(("CHORDSIM_", "FLWR_"))}
            options = {"num_cpus": self._cluster.cpus_per_worker, "scheduling_strategy": "SPREAD"}
            paths = [os.path.abspath(path) for path in sys.path]
            environment = {**kept, "OMP_NUM_THREADS": "1"}
            self._hosts = [_HOST.options(**options).remote(paths, environment) for _ in range(self._cluster.workers)]
            for pid, node in ray.get([host.take.remote(self._app) for host in self._hosts], timeout=_START_S):
                self._cluster.watch(pid, node)
        except RayError as error:
            self.close()
            raise RunError(f"a worker cannot load the client app: {_brief(error)}") from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def describe(self) -> str:
        """Return what carries the work, for a person."""
        return f"{len(self._node_ids)} nodes on {len(self._hosts)} worker(s), on {self._cluster.where}"

    def close(self) -> None:
        """End the workers, and Ray with them if it was started here."""
        try:
            for host in () if self._cluster.private else self._hosts:
                ray.kill(host, no_restart=True)
        finally:
            self._hosts = []
            self._cluster.close()

    def deliver(self, messages: list[Message], timeout: float | None) -> Iterator[Message]:
        """Give each worker its nodes' messages, a batch at a time, and yield replies as they come.

        Args:
            messages: Numbered messages.
            timeout: Seconds that one batch may take; its nodes are then lost for this exchange, and their contexts for good.
        """
        waiting = [deque[Message]() for _ in self._hosts]
        for message in messages:
            waiting[(message.metadata.dst_node_id - self._node_ids[0]) % len(self._hosts)].append(message)
        running: dict[Any, tuple[int, list[Message], float]] = {}
        for place in range(len(self._hosts)):
            self._send(place, waiting, running)
        while running:
            done, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
            overdue = [call for call, (_, _, since) in running.items() if timeout is not None and time.monotonic() - since > timeout]
            for call in [*done, *(call for call in overdue if call not in done)]:
                place, batch, _ = running.pop(call)
                yield from self._finished(place, batch, call if call in done else None)
                self._send(place, waiting, running)

    def _send(self, place: int, waiting: list[deque[Message]], running: dict[Any, tuple[int, list[Message], float]]) -> None:
        queue = waiting[place]
        batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
        if not batch:
            return
        count, first = len(self._node_ids), self._node_ids[0]
        nodes = [(m.metadata.dst_node_id, m.metadata.dst_node_id - first, count) for m in batch]
        call = self._hosts[place].answer.remote([codec.encode(m)[0] for m in batch], nodes, self._config)
        running[call] = (place, batch, time.monotonic())

    def _finished(self, place: int, batch: list[Message], call: Any) -> Iterator[Message]:
        """Yield a batch's replies; a worker that died or hung is started anew, without its nodes' contexts."""
        try:
            if call is None:
                raise TimeoutError("the worker took too long")
            found = ray.get(call)
            if found is None:
                raise RunError("the worker was started anew")
            yield from map(codec.decode, found)
        except (RayError, RunError, TimeoutError) as error:
            if call is None:
                ray.kill(self._hosts[place], no_restart=False)
            self._revive(place)
            reason = f"its worker is gone: {_brief(error)}"
            yield from (Message(Error(NODE_UNAVAILABLE, reason), reply_to=message) for message in batch)

    def _revive(self, place: int) -> None:
        """Wait until Ray has started a worker anew, and give it the app.

        Raises:
            RunError: It does not come back.
        """
        deadline = time.monotonic() + _START_S
        while True:
            try:
                self._cluster.watch(*ray.get(self._hosts[place].take.remote(self._app), timeout=_START_S))
                return
            except RayError as error:
                if time.monotonic() > deadline:
                    raise RunError(f"a worker that died does not come back: {_brief(error)}") from error
                time.sleep(0.5)


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
