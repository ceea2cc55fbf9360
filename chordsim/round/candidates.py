"""What re-ranking costs beside a method's own exchange: the cloud's list, and the item rows that a phone lacks.

Under `protocol.ranking = "candidates"` each session begins with the cloud's list (`chordsim.data.retriever`), the same for all methods that
rank on the phone; a method whose exchange has candidates of its own is charged those alone. Where phones own every row
(`backbone.items = "owned"`), the list comes with its embeddings, which is an upper end. Where the catalogue stays in the cloud
(``"cached"``), the list is ids; the phone asks for the rows that it lacks, those of items that its user consumed since included, and
they are sent (`chordsim.round.item_cache`). How the cloud knows what a phone holds: the phone says so, each time.

These messages are charged from their lengths, as the bootstrap is, and not moved in the simulator: the evaluator makes the same list
where it ranks, and workers own the whole table. `tests/properties/test_cached_path.py` plays phones that move and decode them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.arrays import Ints
from chordsim.config.model import BackboneConfig, Scenario
from chordsim.methods import DOWN_CANDIDATES, DOWN_ROWS, UP_ASKS, Batch, MethodSpec
from chordsim.nets import by_frequency
from chordsim.nets.embeddings import table_bytes
from chordsim.round.book import Book
from chordsim.wire.ids import id_bytes
from chordsim.wire.item_rows import ask_bytes, row_bytes
from chordsim.world import World


@dataclass(frozen=True)
class Asked:
    """What phones ask for in a session, [M] each.

    Attributes:
        consumed: Items that they name by id: consumed and not listed.
        row_bytes: Of the rows that they ask for, of these and of the list.
        before: Rows that they hold before, and
        after: once the rows have come.
    """

    consumed: Ints
    row_bytes: Ints
    before: Ints
    after: Ints


def payload_bytes(backbone: BackboneConfig, n_items: int, listed: int) -> int:
    """Return the bytes of a list of ids, with embeddings where phones own the table."""
    listed = min(listed, n_items)
    ids = listed * id_bytes(n_items)
    return ids + (table_bytes(listed, backbone.dim, backbone.embedding_bits, whole=False) if backbone.items == "owned" else 0)


def row_sizes(backbone: BackboneConfig, popularity: Ints) -> Ints:
    """Return the bytes of each item's row on the wire, [n_items + 1]; none of the padding's.

    Args:
        backbone: At how many bits.
        popularity: How often each item occurs in the cloud's logs, [n_items + 1].
    """
    bits = backbone.embedding_bits
    if isinstance(bits, str):
        sizes = by_frequency.wire_bytes(by_frequency.widths_of(popularity), backbone.dim)
    else:
        sizes = np.full(popularity.size, row_bytes(backbone.dim, bits), np.int64)
    sizes[0] = 0
    return sizes


def sent_bytes(scenario: Scenario, spec: MethodSpec, n_items: int) -> int:
    """Return the payload bytes of the list that the protocol sends each phone of a method in a session; 0 for none."""
    if spec.ranks == "candidates":
        # Whoever shows the list as it comes reads no row of it, and gets it whatever else is ranked.
        return min(scenario.protocol.list_length, n_items) * id_bytes(n_items)
    if scenario.protocol.ranking != "candidates" or DOWN_CANDIDATES in spec.exchange:
        return 0
    return payload_bytes(scenario.backbone, n_items, scenario.protocol.list_length)


def told_lists(who: Batch, spec: MethodSpec, world: World, users: Ints) -> Batch:
    """Return the phones of a cloud's turn with the lists of their users [D], where the method reads them: the cloud made them."""
    return replace(who, listed=world.candidates(users)) if spec.reads_lists else who


def asks(scenario: Scenario, spec: MethodSpec) -> bool:
    """Return whether the phones of a method ask for item rows."""
    return scenario.backbone.items == "cached" and spec.cached == "rows"


def transfers(scenario: Scenario, spec: MethodSpec, n_items: int) -> int:
    """Return how many transfers the protocol adds before a method's exchange."""
    return (sent_bytes(scenario, spec, n_items) > 0) + 2 * asks(scenario, spec)


def ask_for_rows(book: Book, scenario: Scenario, n_items: int, asked: Asked, transfer: int) -> None:
    """Let phones ask for the rows that they lack, and let the rows come.

    Args:
        book: The round so far; afterwards it knows what phones hold.
        scenario: The length of lists.
        n_items: Size of the catalogue.
        asked: What they ask for.
        transfer: Number of the ask in the round; the rows are the next.
    """
    listed = min(scenario.protocol.list_length, n_items)
    book.transfer_charged(UP_ASKS, ask_bytes(listed, asked.consumed, n_items), book.active, transfer)
    book.transfer_charged(DOWN_ROWS, asked.row_bytes, asked.row_bytes > 0, transfer + 1)
    book.rows_came = book.active
    book.cached_rows = np.where(book.active, asked.after, asked.before)
