"""How many bytes a Flower message is, by record, encoded as Flower encodes it: an object per record, array and chunk.

A SuperLink never sees a message as one blob. The message, its dictionary of records, every record, every array and every
5 MiB of an array's data is an object of its own (`flwr.supercore.inflatable`): a short text head with the ids of its
children, then its body. An object that stands twice in a message, such as two arrays of zeros, crosses once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.app.message import make_message
from flwr.app.metadata import Metadata
from flwr.supercore.inflatable.inflatable_object import InflatableObject, no_object_id_recompute

#: Names of records that are the simulator's own: never counted, never handed to the app.
SIM = "sim."
#: Ids as a real SuperLink draws them; on chordsim's own engines they are short, which no phone would ever see.
_RUN, _NODE, _SERVER = 2**63 - 1, 2**63 - 2, 1
_HEX = "0" * 64
#: What a message's bytes are told apart by.
PARTS = ("arrays", "metrics", "configs", "framing")


@dataclass(frozen=True)
class Size:
    """Bytes of one message.

    Attributes:
        arrays: Array records: heads, names, shapes and data.
        metrics: Metric records.
        configs: Config records.
        framing: The message's own object and its dictionary of records: metadata, names, ids, an error's text.
    """

    arrays: int = 0
    metrics: int = 0
    configs: int = 0
    framing: int = 0

    @property
    def payload(self) -> int:
        """Bytes of all records."""
        return self.arrays + self.metrics + self.configs

    @property
    def whole(self) -> int:
        """Bytes of the message."""
        return self.payload + self.framing


def without_sim(content: RecordDict) -> RecordDict:
    """Return the records that a product would send; the same object where there are no others."""
    if not any(name.startswith(SIM) for name in content):
        return content
    return RecordDict({name: record for name, record in content.items() if not name.startswith(SIM)})


def size_of(message: Message) -> Size:
    """Return the bytes of a message whose records are all the app's own."""
    with no_object_id_recompute():
        size = records_size(message.content) if message.has_content() else Size()
        return replace(size, framing=size.framing + _framing(message))


def records_size(content: RecordDict) -> Size:
    """Return the bytes of a dictionary of records, its own object as framing."""
    seen: set[str] = set()
    with no_object_id_recompute():
        return Size(
            arrays=_bytes(content.array_records.values(), seen),
            metrics=_bytes(content.metric_records.values(), seen),
            configs=_bytes(content.config_records.values(), seen),
            framing=len(content.deflate()),
        )


def _bytes(records: Iterable[ArrayRecord] | Iterable[MetricRecord] | Iterable[ConfigRecord], seen: set[str]) -> int:
    """Return the bytes of the objects under these records that were not seen before."""
    return sum(_unseen(record, seen) for record in records)


def _unseen(found: InflatableObject, seen: set[str]) -> int:
    name = found.object_id
    if name in seen:
        return 0
    seen.add(name)
    return len(found.deflate()) + sum(_unseen(child, seen) for child in (found.children or {}).values())


def _framing(message: Message) -> int:
    """Return the bytes of the message's own object, its ids as long as on a SuperLink, its dictionary's id in its head."""
    told = message.metadata
    reply = bool(told.reply_to_message_id)
    metadata = Metadata(
        run_id=_RUN,
        message_id="",
        src_node_id=_NODE if reply else _SERVER,
        dst_node_id=_SERVER if reply else _NODE,
        reply_to_message_id=_HEX if reply else "",
        group_id=told.group_id,
        created_at=1.5,
        ttl=1.5,
        message_type=told.message_type,
        src_task_id=None if reply else _RUN,
        dst_task_id=_RUN if reply else None,
    )
    if message.has_error():
        return len(make_message(metadata=metadata, error=message.error).deflate())
    return len(make_message(metadata=metadata, content=_EMPTY).deflate())


_EMPTY = RecordDict()
