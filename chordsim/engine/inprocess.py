"""The engine without worker processes: client app and server app in one process, cells side by side on threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

from flwr.app import Error, Message
from flwr.clientapp import ClientApp

from chordsim.engine.grid import RUN_ID, LocalGrid
from chordsim.engine.node import CLIENT_RAISED, answer, node_context
from chordsim.threads import Crew, Pulse, cores, pool

_POLL_S = 0.5


class InProcessGrid(LocalGrid):
    """As many nodes as threads; each node answers one message at a time.

    A thread cannot be stopped: one that hangs is left behind, its cell is lost, and another takes its place.
    """

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
        """Run the client app on each message.

        Args:
            messages: Numbered messages.
            timeout: Seconds that one may go without a sign of life; a chunk of phones that is done is one.
        """
        with pool(len(self._node_ids)) as threads:
            jobs = [(message, pulse := Pulse(), threads.submit(self._answer, message, pulse)) for message in messages]
            for message, pulse, coming in jobs:
                yield self._awaited(message, pulse, coming, threads, timeout)

    def _awaited(self, message: Message, pulse: Pulse, coming: Future[Message], threads: Crew, timeout: float | None) -> Message:
        while True:
            try:
                return coming.result(_POLL_S if timeout is not None else None)
            except TimeoutError:
                if timeout is not None and not coming.done() and pulse.silent_s() > timeout:
                    threads.abandon()
                    threads.hire()
                    return Message(Error(CLIENT_RAISED, f"no answer within {timeout:g} s (engine.timeout_s)"), reply_to=message)

    def _answer(self, message: Message, pulse: Pulse) -> Message:
        with pulse.beating():
            return answer(self._app, message, self._contexts[message.metadata.dst_node_id])
