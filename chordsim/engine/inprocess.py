"""The engine without workers: client app and server app in one process, one call after the other."""

from __future__ import annotations

from collections.abc import Iterator

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from chordsim.engine.grid import RUN_ID, LocalGrid

CLIENT_RAISED = 2


def node_context(node_id: int, partition: int, partitions: int) -> Context:
    """Return the context of one local node."""
    config: dict[str, bool | float | int | str] = {"partition-id": partition, "num-partitions": partitions}
    return Context(run_id=RUN_ID, node_id=node_id, node_config=config, state=RecordDict(), run_config={})


class InProcessGrid(LocalGrid):
    """One node, which answers at once."""

    def __init__(self, client_app: ClientApp) -> None:
        super().__init__(1)
        self._app = client_app
        self._context = node_context(self._node_ids[0], 0, 1)

    def deliver(self, messages: list[Message], timeout: float | None) -> Iterator[Message]:
        """Run the client app on each message; an exception becomes an error reply, as Flower does it."""
        for message in messages:
            try:
                yield self._app(message, self._context)
            except Exception as error:  # the client app is anybody's code: whatever it raises is its node's error
                reason = f"{type(error).__name__}: {error}"
                yield Message(Error(CLIENT_RAISED, reason), reply_to=message)
