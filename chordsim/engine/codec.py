"""Flower messages as bytes and back (Flower's own protobuf, never pickle), with the blobs of a call taken out and put in."""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import make_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage

from chordsim.engine.records import BLOBS


def encode(message: Message) -> tuple[bytes, dict[str, bytes]]:
    """Return a message as bytes without its blobs, and the blobs by digest."""
    if message.has_error() or BLOBS not in message.content:
        return message_to_proto(message).SerializeToString(), {}
    blobs = {name: value for name, value in message.content.config_records[BLOBS].items() if isinstance(value, bytes)}
    rest = RecordDict({name: record for name, record in message.content.items() if name != BLOBS})
    bare = make_message(metadata=message.metadata, content=rest)
    return message_to_proto(bare).SerializeToString(), blobs


def decode(data: bytes, blobs: Mapping[str, bytes] | None = None) -> Message:
    """Return the message in ``data``, with blobs put in if any are given."""
    message = message_from_proto(ProtoMessage.FromString(data))
    if blobs is not None and message.has_content():
        message.content[BLOBS] = ConfigRecord(dict(blobs))
    return message
