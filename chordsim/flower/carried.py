"""What the nodes behind a `PhoneGrid` answer, held to what was asked: one reply to each message, from the node that was asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Message
from flwr.app.message import make_message
from flwr.serverapp import Grid

from chordsim.arrays import Bools
from chordsim.engine.node import UNENCODABLE, unencodable
from chordsim.flower.message_size import Size, size_of, without_sim
from chordsim.flower.mod import PEAK, PHONE, SECONDS


@dataclass(frozen=True)
class Answer:
    """What one node said.

    Attributes:
        reply: The app's own reply, without the simulator's records; None if none came.
        size: Its bytes.
        error: What went wrong, "" if nothing did.
        examples: Number of examples that it tells, NaN if it tells none.
        seconds: Processor seconds that the mod measured, NaN without it.
        peak_bytes: Memory that the mod measured, 0 without it.
        metrics: Its metric records.
    """

    reply: Message | None = None
    size: Size = field(default_factory=Size)
    error: str = ""
    examples: float = math.nan
    seconds: float = math.nan
    peak_bytes: int = 0
    metrics: tuple[Any, ...] = ()


_NOTHING = Answer()
#: Of a .npy file.
_MAGIC = b"\x93NUMPY"


def carry(
    grid: Grid,
    messages: list[Message],
    who: Bools,
    patience_s: float,
    most_bytes: int,
    examples_key: str,
    note: Callable[[str], None],
    measure: Callable[[Message], Size] = size_of,
) -> list[Answer]:
    """Send the messages of ``who`` [D] over a grid and return every message's answer, empty for the others.

    Args:
        grid: The grid behind.
        messages: All messages, [D].
        who: Which of them are sent.
        patience_s: Seconds of the wall clock after which a node counts as lost.
        most_bytes: A larger reply fails.
        examples_key: Name of the metric that tells the number of examples.
        note: Takes what was set aside.
        measure: Counts a reply's bytes.
    """
    sent = {n: message for n, message in enumerate(messages) if who[n]}
    if not sent:
        return [_NOTHING] * len(messages)
    found: dict[int, Message] = {}
    replies = grid.send_and_receive(list(sent.values()), timeout=patience_s)
    waiting = {message.metadata.message_id: n for n, message in sent.items()}
    for reply in replies:
        place = waiting.get(reply.metadata.reply_to_message_id)
        if place is None:
            note("replies to nobody")
        elif place in found:
            note("second replies to one message")
        elif not _is_from(reply, messages[place]):
            note("replies in another node's name")
        else:
            found[place] = reply
    out = [_NOTHING] * len(messages)
    for n in sent:
        if n not in found:
            out[n] = Answer(error="its node gave no answer")
            continue
        reply = found[n]
        try:
            size = measure(_own(reply))
        except UNENCODABLE as error:
            reply = unencodable(messages[n], error)
            size = measure(reply)
        out[n] = _answer(reply, size, most_bytes, examples_key, note)
    return out


def _is_from(reply: Message, message: Message) -> bool:
    """Return whether a reply comes from the node that was asked; errors may come from the SuperLink in its place."""
    source = reply.metadata.src_node_id
    return source == message.metadata.dst_node_id or (reply.has_error() and source == message.metadata.src_node_id)


def _own(reply: Message) -> Message:
    """Return a reply without the simulator's records."""
    if reply.has_error() or (own := without_sim(reply.content)) is reply.content:
        return reply
    return make_message(metadata=reply.metadata, content=own)


def _answer(reply: Message, size: Size, most_bytes: int, examples_key: str, note: Callable[[str], None]) -> Answer:
    if reply.has_error():
        reason = " ".join(str(reply.error.reason).split())[-300:]
        return Answer(reply, size, f"error {reply.error.code}: {reason}")
    beside = reply.content.get(PHONE)
    reply = _own(reply)
    if size.whole > most_bytes:
        note("replies that are too large")
        return Answer(error=f"its reply of {size.whole:,} bytes is larger than {most_bytes:,}")
    if not _finite(reply):
        note("replies with arrays that are not finite")
    metrics = tuple(dict(record) for record in reply.content.metric_records.values())
    counts = [float(told) for record in metrics if isinstance(told := record.get(examples_key), int | float)]
    seconds, peak = _measured(beside)
    return Answer(reply, size, "", counts[0] if counts else math.nan, seconds, peak, metrics)


def _measured(told: Any) -> tuple[float, int]:
    """Return the mod's seconds and bytes; what makes no sense counts as not told."""
    if not isinstance(told, ConfigRecord):
        return math.nan, 0
    seconds, peak = told.get(SECONDS), told.get(PEAK)
    sound = isinstance(seconds, float) and math.isfinite(seconds) and seconds >= 0
    return (float(seconds) if sound else math.nan), (peak if isinstance(peak, int) and 0 <= peak < 2**53 else 0)  # type: ignore[arg-type]


def _finite(reply: Message) -> bool:
    """Return whether all numbers of a reply's arrays are finite; arrays that are not NumPy's are not looked into."""
    for record in reply.content.array_records.values():
        for array in record.values():
            if array.stype == "numpy.ndarray" and array.dtype.startswith(("float", "complex")):
                try:
                    if not np.isfinite(_values(array.data, array.dtype)).all():
                        return False
                except (ValueError, TypeError, OSError):
                    return False
    return True


def _values(data: bytes, dtype: str) -> np.ndarray[Any, Any]:
    """Return the numbers in a .npy file's bytes as they lie, without a copy.

    Raises:
        ValueError: Not such a file.
        TypeError: No such type.
    """
    if data[:6] != _MAGIC or len(data) < 12:
        raise ValueError("not an array")
    width = 2 if data[6] == 1 else 4
    return np.frombuffer(data, np.dtype(dtype), offset=8 + width + int.from_bytes(data[8 : 8 + width], "little"))
