"""Whether the ledger's bytes are those that Flower's SuperLink counted, and what Flower adds to each message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chordsim.errors import InvariantError

#: Most that Flower may add to one message (ids, object tree, protobuf framing) before the sums count as not explained.
MAX_OVERHEAD_BYTES = 8192


@dataclass(frozen=True)
class Way:
    """One direction of a deployed run.

    Attributes:
        ledger_bytes: Encoded messages as the ledger has them, without bootstrap.
        beside_bytes: What went along and no product would send: simulator columns, the scenario, and bootstrap parts.
        flower_bytes: What the SuperLink counted beyond these.
        messages: Flower messages.
    """

    ledger_bytes: int
    beside_bytes: int
    flower_bytes: int
    messages: int

    @property
    def overhead_bytes(self) -> float:
        """What Flower adds to a message, on average."""
        return self.flower_bytes / max(self.messages, 1)


def reconcile(ledger: Mapping[str, int], carried: Mapping[str, int], superlink: Mapping[str, int]) -> dict[str, Way]:
    """Return both directions, down and up, with every byte that the SuperLink counted accounted for.

    Args:
        ledger: ``down_bytes`` and ``up_bytes`` of the whole ledger, bootstrap taken off.
        carried: What `GridCarrier.report` says under ``carried``.
        superlink: ``outbound-bytes`` and ``inbound-bytes`` of the run, as Flower reports them.

    Raises:
        InvariantError: Ledger and carrier differ, or the SuperLink's figure cannot be explained.
    """
    out = {}
    for way, theirs in (("down", "outbound-bytes"), ("up", "inbound-bytes")):
        wire, records, messages = carried[f"wire_{way}_bytes"], carried[f"records_{way}_bytes"], carried[f"messages_{way}"]
        if ledger[f"{way}_bytes"] != wire:
            raise InvariantError(f"the ledger has {ledger[f'{way}_bytes']} bytes {way}, but Flower's messages held {wire}")
        found = Way(wire, records - wire, superlink[theirs] - records, messages)
        if not 0 < found.overhead_bytes < MAX_OVERHEAD_BYTES:
            raise InvariantError(
                f"the SuperLink counted {superlink[theirs]} bytes {way}, the records of {messages} messages held {records}: "
                f"{found.overhead_bytes:.0f} bytes a message are not explained"
            )
        out[way] = found
    return out


def describe(ways: Mapping[str, Way]) -> dict[str, dict[str, Any]]:
    """Return the figures for summary.json."""
    return {
        name: {
            "ledger_bytes": way.ledger_bytes,
            "beside_bytes": way.beside_bytes,
            "flower_bytes": way.flower_bytes,
            "messages": way.messages,
            "flower_bytes_per_message": round(way.overhead_bytes, 1),
        }
        for name, way in ways.items()
    }
