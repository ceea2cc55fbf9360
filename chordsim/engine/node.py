"""What a node does wherever it runs: the client app answers a message, and whatever goes wrong becomes an error reply."""

from __future__ import annotations

import importlib
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from chordsim.engine import codec
from chordsim.errors import RAISED, MethodError, typed_line
from chordsim.installed import own_sides, refuse_others

#: Flower's code for a client app that raised.
CLIENT_RAISED = 2
#: What encoding raises: a number of more than 64 bits, a lone surrogate in a text or a name.
UNENCODABLE = (ValueError, TypeError, OverflowError)


def node_context(run_id: int, node_id: int, partition: int, partitions: int) -> Context:
    """Return the context of one local node; device state travels beside the messages, so none is kept here."""
    config: dict[str, bool | float | int | str] = {"partition-id": partition, "num-partitions": partitions}
    return Context(run_id=run_id, node_id=node_id, node_config=config, state=RecordDict(), run_config={})


def answer(client_app: ClientApp, message: Message, context: Context) -> Message:
    """Run the client app on one message; an exception becomes an error reply, as Flower does it."""
    try:
        return client_app(message, context)
    except RAISED as error:  # the client app is anybody's code: whatever it raises is its node's error
        return Message(Error(CLIENT_RAISED, str(error) if isinstance(error, MethodError) else typed_line(error)), reply_to=message)


def answer_encoded(client_app: ClientApp, data: bytes, context: Context) -> bytes:
    """Run the client app on one encoded message and encode its reply; one that cannot be encoded becomes an error reply."""
    message = codec.decode(data)
    try:
        return codec.encode(answer(client_app, message, context))[0]
    except UNENCODABLE as error:
        return codec.encode(unencodable(message, error))[0]


def unencodable(message: Message, error: Exception) -> Message:
    """Return the error reply of a node whose reply to ``message`` holds what Flower's protobuf cannot say.

    Records take any whole number and text of Python; a run in which nothing is encoded passes them on, a SuperLink never could.
    """
    return Message(Error(CLIENT_RAISED, f"its reply cannot be encoded: {typed_line(error)}"), reply_to=message)


def load_app(path: str) -> Any:
    """Return the app that ``path`` ("module:name") names, from the same installation as chordsim.

    Raises:
        RunError: Something else was imported under that name before.
    """
    module, _, attribute = path.partition(":")
    refuse_others(module.partition(".")[0])
    with own_sides():
        return getattr(importlib.import_module(module), attribute)
