"""Rows of item ids in as few whole bytes each as the catalogue needs, little-endian."""

from __future__ import annotations

import numpy as np

from chordsim.arrays import Bools, Bytes, Ints
from chordsim.ragged import Ragged


def id_bytes(n_items: int) -> int:
    """Return the bytes of one id in a catalogue of ``n_items``."""
    return max((n_items.bit_length() + 7) // 8, 1)


def pack_ids(ids: Ints, n_items: int) -> Bytes:
    """Return ids [D, n] (0 is padding) as bytes [D, n * id_bytes].

    Raises:
        ValueError: An id outside 0 to ``n_items``.
    """
    if ids.size and (int(ids.min()) < 0 or int(ids.max()) > n_items):
        raise ValueError(f"an item id lies outside 0 to {n_items}")
    wide = np.ascontiguousarray(ids.astype("<i8")).view(np.uint8).reshape(*ids.shape, 8)
    return np.ascontiguousarray(wide[..., : id_bytes(n_items)]).reshape(ids.shape[0], -1)


def unpack_ids(rows: Ragged, count: int, n_items: int) -> tuple[Ints, Bools]:
    """Return ``count`` ids per row, int64 [D, count], and which rows [D] are sound; other rows are zero. Total."""
    one = id_bytes(n_items)
    packed, fits = rows.matrix(count * one)
    wide = np.zeros((len(rows), count, 8), np.uint8)
    wide[..., :one] = packed.reshape(len(rows), count, one)
    ids = wide.view("<i8")[..., 0].astype(np.int64)
    sound = fits & (ids <= n_items).all(axis=1)
    ids[~sound] = 0
    return ids, sound
