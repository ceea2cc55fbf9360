"""The worker process on Ray: it loads the client app once and answers messages that come and go as plain bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping

import ray


@ray.remote(max_restarts=-1, max_task_retries=3)
class Worker:
    """One actor: one process, one thread."""

    def __init__(self, client_app: str, environment: Mapping[str, str]) -> None:
        """Load the client app.

        Args:
            client_app: As "module:name".
            environment: Variables to set before anything heavy is imported.

        Raises:
            RunError: The app belongs to another installation.
        """
        os.environ.update(environment)
        from chordsim.engine.node import load_app
        from chordsim.threads import one_thread_per_product

        one_thread_per_product()
        self._app = load_app(client_app)

    def ready(self) -> tuple[int, str]:
        """Return this process's id and its Ray node, once it can work."""
        return os.getpid(), ray.get_runtime_context().get_node_id()

    # Ray would repeat a lost call on this same actor, and wait for ever if its machine is gone. The grid gives
    # the call to whichever worker is free instead.
    @ray.method(max_task_retries=0)
    def answer(self, data: bytes, node: tuple[int, int, int, int], digests: tuple[str, ...], *blobs: bytes) -> bytes:
        """Answer one message.

        Args:
            data: The message, encoded, without its blobs.
            node: Run id, node id, partition and partitions of the node that the message is for.
            digests: Names of the blobs.
            blobs: Bootstrap parts from this machine's object store.
        """
        from chordsim.engine import codec
        from chordsim.engine.node import answer, node_context

        message = codec.decode(data, dict(zip(digests, blobs, strict=True)))
        return codec.encode(answer(self._app, message, node_context(*node)))[0]
