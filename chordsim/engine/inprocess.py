"""The engine without worker processes: client app and server app in one process, cells side by side on threads."""

from __future__ import annotations

from collections.abc import Iterator

from flwr.app import Message
from flwr.clientapp import ClientApp

from chordsim.engine.grid import RUN_ID, LocalGrid
from chordsim.engine.node import answer, node_context
from chordsim.threads import cores, pool


class InProcessGrid(LocalGrid):
    """As many nodes as threads; each node answers one message at a time. A thread cannot be stopped, so nothing times out."""

    def __init__(self, client_app: ClientApp, workers: int) -> None:
        """Number the nodes.

        Args:
            client_app: Runs on every node.
            workers: Threads; 0 is one per processor.
        """
        count = workers or cores()
        super().__init__(count)
        self._app = client_app
        self._contexts = {node: node_context(RUN_ID, node, n, count) for n, node in enumerate(self._node_ids)}

    def describe(self) -> str:
        """Return what carries the work, for a person."""
        return f"{len(self._node_ids)} thread(s) of this process"

    def deliver(self, messages: list[Message], timeout: float | None) -> Iterator[Message]:
        """Run the client app on each message."""
        with pool(len(self._node_ids)) as threads:
            yield from threads.map(self._answer, messages)

    def _answer(self, message: Message) -> Message:
        return answer(self._app, message, self._contexts[message.metadata.dst_node_id])
