"""What a phone that keeps few item rows says and gets: which rows it lacks, and the rows.

An ask is a bitmap over the list that the cloud sent, lowest bits first, then the ids of consumed items whose rows the phone
lacks. The answer holds the rows asked for, in the order of the list and then of the ids, each as the phone stores it: numbers of 32, 16
or 8 bits, or packed ones of 4 or 2, and below 16 bits a float32 scale. Where rows differ in width, a byte before each says its bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chordsim.arrays import Bools, Bytes, Ints
from chordsim.ragged import Ragged
from chordsim.wire.ids import id_bytes


def ask_bytes(listed: int, consumed: Ints, n_items: int) -> Ints:
    """Return the payload bytes of asks with a list of ``listed`` items and so many consumed ids, shape of ``consumed``."""
    return np.asarray(-(-listed // 8) + consumed * id_bytes(n_items), np.int64)


def pack_asks(lacks: Bools, consumed: Ints, n_items: int) -> Ragged:
    """Return one ask per phone.

    Args:
        lacks: Which listed items have no row, [D, N].
        consumed: Ids of consumed items without a row, [D, W]; 0 pads at the end.
        n_items: Size of the catalogue.
    """
    bits = np.packbits(lacks, axis=1, bitorder="little")
    one = id_bytes(n_items)
    wide = np.ascontiguousarray(consumed.astype("<i8")).view(np.uint8).reshape(*consumed.shape, 8)[..., :one]
    counts = (consumed > 0).sum(1)
    return Ragged.of_rows(bits[d].tobytes() + wide[d, : counts[d]].tobytes() for d in range(len(lacks)))


def unpack_asks(rows: Ragged, listed: int, most: int, n_items: int) -> tuple[Bools, Ints, Bools]:
    """Return what phones lack of the list [D, N], consumed ids [D, most], and which asks [D] are sound. Total.

    An ask is unsound where its length fits no list and ids, where a bit stands beyond the list, or where an id is 0, beyond the
    catalogue or repeated; it then asks for nothing.

    Args:
        rows: Payloads.
        listed: Length N of the list.
        most: Most consumed ids that a phone may name.
        n_items: Size of the catalogue.
    """
    head, one = -(-listed // 8), id_bytes(n_items)
    lacks, consumed = np.zeros((len(rows), listed), np.bool_), np.zeros((len(rows), most), np.int64)
    sound = np.zeros(len(rows), np.bool_)
    for d, payload in enumerate(rows):
        count, rest = divmod(len(payload) - head, one)
        if len(payload) < head or rest or count > most:
            continue
        bits = np.unpackbits(np.frombuffer(payload, np.uint8, head), bitorder="little").astype(np.bool_)
        wide = np.zeros((count, 8), np.uint8)
        wide[:, :one] = np.frombuffer(payload, np.uint8, count * one, head).reshape(count, one)
        ids = wide.view("<i8")[:, 0]
        if bits[listed:].any() or (count and (ids.min() < 1 or ids.max() > n_items)) or np.unique(ids).size != count:
            continue
        lacks[d], consumed[d, :count], sound[d] = bits[:listed], ids, True
    return lacks, consumed, sound


def row_bytes(dim: int, bits: int) -> int:
    """Return the bytes of one stored row of ``dim`` numbers."""
    return -(-dim * bits // 8) + (4 if bits < 16 else 0)


def pack_item_rows(stored: Bytes, asked: list[Ints]) -> Ragged:
    """Return the rows that each phone asked for.

    Args:
        stored: Every item's row as bytes, [n_items + 1, row_bytes].
        asked: Ids by phone, in order.
    """
    return Ragged.of_rows(stored[ids].tobytes() for ids in asked)


def pack_tagged_rows(stored: Mapping[int, Bytes], asked: list[Ints]) -> Ragged:
    """Return the rows that each phone asked for, each behind a byte that says its bits: for rows that differ in width.

    Args:
        stored: Every item's row by its id, the byte that says its bits before it.
        asked: Ids by phone, in order.
    """
    return Ragged.of_rows(b"".join(stored[item].tobytes() for item in ids.tolist()) for ids in asked)


def unpack_tagged_rows(payload: bytes, count: int, dim: int, widths: Sequence[int]) -> list[tuple[int, bytes]] | None:
    """Return bits and bytes of ``count`` rows of ``dim`` numbers, or None where the payload holds no such rows. Total."""
    at, out = 0, []
    for _ in range(count):
        bits = payload[at] if at < len(payload) else 0
        end = at + 1 + (row_bytes(dim, bits) if bits in widths else 0)
        if bits not in widths or end > len(payload):
            return None
        out.append((bits, payload[at + 1 : end]))
        at = end
    return out if at == len(payload) else None


def unpack_item_rows(payload: bytes, count: int, one: int) -> Bytes | None:
    """Return ``count`` rows of ``one`` bytes, [count, one], or None where the payload is of another length. Total."""
    if len(payload) != count * one:
        return None
    return np.frombuffer(payload, np.uint8).reshape(count, one).copy()
