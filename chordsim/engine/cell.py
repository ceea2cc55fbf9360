"""What passes between server and clients: calls and replies for one cell of phones, as plain bytes.

A cell is a whole number of chunks. Method messages travel as they were encoded (`wire`), simulator columns
beside them (`columns`), which nobody counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import safetensors.numpy
from safetensors import SafetensorError

from chordsim.arrays import Columns, dense
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload


@dataclass(frozen=True)
class CellCall:
    """Server to client.

    Attributes:
        cell: Number of the cell in this exchange.
        header: What to do, as JSON values.
        columns: Per phone arrays, [M] or [M, n] each, M a multiple of the chunk size.
        wire: Encoded messages per kind, one row per phone.
        blobs: Bootstrap parts by digest; only those that the client said it lacks.
    """

    cell: int
    header: Mapping[str, Any]
    columns: Columns
    wire: Mapping[str, Ragged] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class CellReply:
    """Client to server.

    Attributes:
        cell: Number of the cell in this exchange.
        columns: Per phone arrays.
        wire: Encoded messages per kind, one row per phone.
        missing: Digests of bootstrap parts that this worker lacks; then nothing was done.
        error: What went wrong on the client, one line; then nothing was done.
        moved_down_bytes: Encoded message bytes that the carrier took to the client, counted by the carrier.
        moved_up_bytes: Encoded message bytes that it brought back.
        peak_rss_bytes: Most memory that the answering process has held.
    """

    cell: int
    columns: Columns = field(default_factory=dict)
    wire: Mapping[str, Ragged] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    error: str = ""
    moved_down_bytes: int = 0
    moved_up_bytes: int = 0
    peak_rss_bytes: int = 0


class Carrier(Protocol):
    """Whatever moves calls to clients and replies back: a Flower grid, in process, on Ray or remote."""

    @property
    def cells(self) -> int:
        """How many cells keep all workers busy."""
        ...

    def report(self) -> dict[str, Any]:
        """Return what carried the work and what it took, for the summary."""
        ...

    def exchange(self, calls: Iterable[CellCall]) -> Iterator[CellReply]:
        """Send calls and yield replies in any order; a lost cell comes back as a reply with an error."""
        ...


def pack_columns(columns: Columns) -> bytes:
    """Return named arrays as bytes (safetensors, never pickle)."""
    return safetensors.numpy.save(dense({name: columns[name] for name in sorted(columns)}))


def unpack_columns(data: bytes) -> Columns:
    """Return the arrays that `pack_columns` stored.

    Raises:
        BadPayload: Not safetensors.
    """
    try:
        return dict(safetensors.numpy.load(data))
    except (SafetensorError, KeyError, ValueError) as error:
        raise BadPayload(f"columns are not safetensors: {error}") from error
