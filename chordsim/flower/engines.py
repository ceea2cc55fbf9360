"""chordsim's own grids for anybody's ClientApp: as many nodes as there are phones, on a few threads or Ray workers.

Flower's own simulation looks at every node for every message; here a worker takes a batch of messages, and nobody looks
at a node that has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Self

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from chordsim.engine.grid import RUN_ID, SERVER_NODE, LocalGrid
from chordsim.engine.node import answer
from chordsim.errors import UserError
from chordsim.flower.contexts import Config, context_of
from chordsim.threads import cores, pool

#: So many small calls go to a thread at once.
_BATCH = 64


class PhonesInProcess(LocalGrid):
    """Nodes on threads of this process. Each keeps its own context, so that an app may keep state on its phone."""

    def __init__(self, client_app: ClientApp, nodes: int, workers: int = 0, run_config: Config | None = None) -> None:
        """Number the nodes.

        Args:
            client_app: Runs on every node.
            nodes: How many; node n holds partition n.
            workers: Threads; 0 is one per processor.
            run_config: The app's own configuration.

        Raises:
            UserError: No node.
        """
        if nodes < 1:
            raise UserError(f"nodes = {nodes}: at least 1")
        super().__init__(nodes)
        self._app, self._workers = client_app, workers or cores()
        self._threads: Executor | None = None
        self._contexts = {node: context_of(node, n, nodes, run_config) for n, node in enumerate(self._node_ids)}

    def describe(self) -> str:
        """Return what carries the work, for a person."""
        return f"{len(self._node_ids)} nodes on {self._workers} thread(s) of this process"

    def deliver(self, messages: list[Message], timeout: float | None) -> Iterator[Message]:
        """Run the client app on each message; a node's messages come one after the other."""
        # Small calls go to a thread by the batch, since to change threads takes as long as they do.
        size = max(1, min(_BATCH, len(messages) // (4 * self._workers)))
        # The threads stay: a strategy that answers one phone after another would start one for each. They end with the grid.
        self._threads = self._threads or pool(self._workers)
        for replies in self._threads.map(self._answered, [messages[at : at + size] for at in range(0, len(messages), size)]):
            yield from replies

    def _answered(self, messages: list[Message]) -> list[Message]:
        return [answer(self._app, message, self._contexts[message.metadata.dst_node_id]) for message in messages]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the threads."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None


def run_apps(
    server_app: ServerApp,
    client_app: ClientApp,
    nodes: int,
    *,
    engine: str = "inprocess",
    workers: int = 0,
    run_config: Config | None = None,
) -> None:
    """Run a Flower app on chordsim's own engine, as ``flwr run`` does on Flower's: the ServerApp wraps the grid by itself.

    Args:
        server_app: The app's server side.
        client_app: Its client side.
        nodes: How many nodes; node n holds partition n.
        engine: inprocess, or ray for worker processes.
        workers: Threads or processes; 0 is one per processor.
        run_config: What both sides find in ``context.run_config``.

    Raises:
        UserError: No node, or another engine.
    """
    if engine not in ("inprocess", "ray"):
        raise UserError(f"engine {engine!r}: inprocess or ray")
    context = Context(run_id=RUN_ID, node_id=SERVER_NODE, node_config={}, state=RecordDict(), run_config=dict(run_config or {}))
    made: Any
    if engine == "inprocess":
        made = PhonesInProcess(client_app, nodes, workers, run_config)
    else:
        from chordsim.flower.workers import PhonesOnRay

        made = PhonesOnRay(client_app, nodes, workers, run_config)
    with made as grid:
        server_app(grid, context)
