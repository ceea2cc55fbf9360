"""How many bytes a Flower message is, by record, encoded as Flower encodes it: an object per record, array and chunk.

A SuperLink never sees a message as one blob. The message, its dictionary of records, every record, every array and every
5 MiB of an array's data is an object of its own (`flwr.supercore.inflatable`): a short text head with the ids of its
children, then its body. An object that stands twice in a message, such as two arrays of zeros, crosses once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.app.message import make_message
from flwr.app.metadata import Metadata
from flwr.common.constant import FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE as _CHUNK
from flwr.supercore.inflatable.inflatable_object import InflatableObject, no_object_id_recompute

#: Names of records that are the simulator's own: never counted, never handed to the app.
SIM = "sim."
#: Run, node and task.
Ids = tuple[int, int, int | None]
#: Ids of nine bytes. A real SuperLink draws nine or ten; on chordsim's own engines they are short, which no phone would ever see.
_COMMON: Ids = (2**63 - 1, 2**63 - 2, 2**63 - 1)
_SERVER = 1
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


def size_of(message: Message, own_ids: bool = False) -> Size:
    """Return the bytes of a message whose records are all the app's own.

    Args:
        message: Going down or coming up.
        own_ids: Count its ids as they are, each of nine bytes or ten, as a real SuperLink has drawn them; by default each counts
            as nine, so that a run's bytes do not depend on whom ids were drawn for.
    """
    with no_object_id_recompute():
        size = records_size(message.content) if message.has_content() else Size()
        return replace(size, framing=size.framing + _framing(message, own_ids))


def records_size(content: RecordDict) -> Size:
    """Return the bytes of a dictionary of records, its own object as framing."""
    quick = _quick(content)
    return quick if quick is not None else exact_size(content)


def exact_size(content: RecordDict) -> Size:
    """Return the same by making every object, also where some stand twice."""
    seen: set[str] = set()
    with no_object_id_recompute():
        return Size(
            arrays=_bytes(content.array_records.values(), seen),
            metrics=_bytes(content.metric_records.values(), seen),
            configs=_bytes(content.config_records.values(), seen),
            framing=len(content.deflate()),
        )


def _quick(content: RecordDict) -> Size | None:
    """Return the bytes without hashing: ids are as long whatever they say. None where an object may stand twice."""
    data = [array.data for record in content.array_records.values() for array in record.values()]
    plain = [record.deflate() for records in (content.metric_records, content.config_records) for record in records.values()]
    if not content or len(set(data)) < len(data) or len(set(plain)) < len(plain) or any(not 0 < len(d) <= _CHUNK for d in data):
        return None
    shapes = [tuple((n, a.dtype, tuple(a.shape), a.stype, len(a.data)) for n, a in r.items()) for r in content.array_records.values()]
    if not all(shapes):
        return None
    counts = len(content.metric_records)
    metrics, configs = sum(map(len, plain[:counts])), sum(map(len, plain[counts:]))
    return Size(sum(map(_record, shapes)), metrics, configs, _references("RecordDict", tuple(content)))


@lru_cache(maxsize=1024)
def _record(shape: tuple[tuple[str, str, tuple[int, ...], str, int], ...]) -> int:
    """Return the bytes of an array record whose arrays have these names, types, shapes and data, each in one chunk of its own."""
    whole = _references("ArrayRecord", tuple(name for name, *_ in shape))
    for _, dtype, sides, stype, length in shape:
        body = len(json.dumps({"dtype": dtype, "shape": sides, "stype": stype, "arraychunk_ids": [0]}).encode())
        whole += _object("Array", 1, body) + _object("ArrayChunk", 0, length)
    return whole


@lru_cache(maxsize=1024)
def _references(kind: str, names: tuple[str, ...]) -> int:
    """Return the bytes of an object that names others, each with another id."""
    return _object(kind, len(names), len(json.dumps(dict.fromkeys(names, _HEX)).encode()))


def _object(kind: str, children: int, body: int) -> int:
    """Return the bytes of an object: its kind, its children's ids with commas, the length of its body, and the body."""
    return len(f"{kind} ") + max(len(_HEX) * children + children - 1, 0) + len(f" {body}") + 1 + body


def _bytes(records: Iterable[ArrayRecord] | Iterable[MetricRecord] | Iterable[ConfigRecord], seen: set[str]) -> int:
    """Return the bytes of the objects under these records that were not seen before."""
    return sum(_unseen(record, seen) for record in records)


def _unseen(found: InflatableObject, seen: set[str]) -> int:
    name = found.object_id
    if name in seen:
        return 0
    seen.add(name)
    return len(found.deflate()) + sum(_unseen(child, seen) for child in (found.children or {}).values())


def _framing(message: Message, own_ids: bool) -> int:
    """Return the bytes of the message's own object, its dictionary's id in its head."""
    told = message.metadata
    reply = message.has_error() or bool(told.reply_to_message_id)
    ids = _COMMON
    if own_ids:
        task = told.dst_task_id if reply else told.src_task_id
        ids = told.run_id, told.src_node_id if reply else told.dst_node_id, task
    if message.has_error():
        return len(make_message(metadata=_metadata(told.message_type, told.group_id, True, ids), error=message.error).deflate())
    return _shell(told.message_type, told.group_id, reply, ids)


@lru_cache(maxsize=1024)
def _shell(message_type: str, group_id: str, reply: bool, ids: Ids) -> int:
    return len(make_message(metadata=_metadata(message_type, group_id, reply, ids), content=_EMPTY).deflate())


def _metadata(message_type: str, group_id: str, reply: bool, ids: Ids) -> Metadata:
    run, node, task = ids
    return Metadata(
        run_id=run,
        message_id="",
        src_node_id=node if reply else _SERVER,
        dst_node_id=_SERVER if reply else node,
        reply_to_message_id=_HEX if reply else "",
        group_id=group_id,
        created_at=1.5,
        ttl=1.5,
        message_type=message_type,
        src_task_id=None if reply else task,
        dst_task_id=task if reply else None,
    )


_EMPTY = RecordDict()
