"""The engine without worker processes: client app and server app in one process, cells side by side on threads."""

from __future__ import annotations

from collections.abc import Iterator

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from chordsim.engine.grid import RUN_ID, LocalGrid
from chordsim.threads import cores, pool

CLIENT_RAISED = 2


def node_context(node_id: int, partition: int, partitions: int) -> Context:
    """Return the context of one local node."""
    config: dict[str, bool | float | int | str] = {"partition-id": partition, "num-partitions": partitions}
    return Context(run_id=RUN_ID, node_id=node_id, node_config=config, state=RecordDict(), run_config={})


class InProcessGrid(LocalGrid):
    """As many nodes as threads; each node answers one message at a time."""

    def __init__(self, client_app: ClientApp, workers: int) -> None:
        """Args:
        client_app: Runs on every node.
        workers: Threads; 0 is one per processor.
        """
        count = workers or cores()
        super().__init__(count)
        self._app = client_app
        self._contexts = {node: node_context(node, n, count) for n, node in enumerate(self._node_ids)}

    def deliver(self, messages: list[Message], timeout: float | None) -> Iterator[Message]:
        """Run the client app on each message; an exception becomes an error reply, as Flower does it."""
        with pool(len(self._node_ids)) as threads:
            yield from threads.map(self._answer, messages)

    def _answer(self, message: Message) -> Message:
        try:
            return self._app(message, self._contexts[message.metadata.dst_node_id])
        except Exception as error:  # the client app is anybody's code: whatever it raises is its node's error
            return Message(Error(CLIENT_RAISED, f"{type(error).__name__}: {error}"), reply_to=message)
