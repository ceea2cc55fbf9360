"""Damaged copies of sound messages: flipped, cut, grown, spliced, overwritten with awkward values or replaced by noise."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from chordsim.arrays import Bytes, Ints
from chordsim.ragged import Ragged
from chordsim.wire.frame import CRC, HEADER

AWKWARD = [
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    struct.pack("<f", float("nan")),
    struct.pack("<f", float("inf")),
    struct.pack("<f", float("-inf")),
    struct.pack("<f", 3.4e38),
    struct.pack("<I", 2**31),
    struct.pack("<I", 2**32 - 1),
]


def mutants(seeds: list[bytes], count: int, rng: np.random.Generator, framed: bool = False) -> Ragged:
    """Return ``count`` damaged copies of sound messages, one in sixteen of them undamaged."""
    width = max(len(seed) for seed in seeds) + 8
    table = np.zeros((len(seeds), width), np.uint8)
    for row, seed in enumerate(seeds):
        table[row, : len(seed)] = np.frombuffer(seed, np.uint8)
    pick = rng.integers(0, len(seeds), count)
    data = table[pick]
    lengths = np.array([len(seed) for seed in seeds], np.int64)[pick]
    how = rng.integers(0, 16, count)
    every = np.arange(count)

    def place() -> Ints:
        return (rng.random(count) * np.maximum(lengths, 1)).astype(np.int64)

    for _ in range(3):
        flip = np.flatnonzero(how < 5)
        data[flip, place()[flip]] ^= np.uint8(1) << rng.integers(0, 8, flip.size).astype(np.uint8)
    over = np.flatnonzero((how >= 5) & (how < 9))
    awkward = np.frombuffer(b"".join(AWKWARD), np.uint8).reshape(-1, 4)[rng.integers(0, len(AWKWARD), over.size)]
    # Fields lie on even places in every format here.
    data[over[:, None], np.minimum(place()[over] & ~1, width - 4)[:, None] + np.arange(4)] = awkward
    splice = np.flatnonzero(how == 9)
    other = table[rng.integers(0, len(seeds), splice.size)]
    data[splice] = np.where(np.arange(width) < place()[splice, None], data[splice], other)
    noise = np.flatnonzero(how == 10)
    data[noise] = rng.integers(0, 256, (noise.size, width), np.uint8)
    if framed:
        _mend(data, lengths, np.flatnonzero(rng.random(count) < 0.5))
    cut, grow = how == 11, how == 12
    lengths = np.where(cut, place(), np.where(grow, lengths + rng.integers(1, 9, count), lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    inside = np.arange(width) < lengths[:, None]
    return Ragged(data[every][inside], offsets)


def _mend(data: Bytes, lengths: Ints, rows: Ints) -> None:
    """Write the length and the CRC that fit, so that the damage reaches what lies behind them."""
    for row in rows.tolist():
        end = int(lengths[row]) - CRC.size
        if end >= HEADER.size:
            body = data[row]
            body[HEADER.size - 4 : HEADER.size] = np.frombuffer(struct.pack("<I", end - HEADER.size), np.uint8)
            body[end : end + CRC.size] = np.frombuffer(CRC.pack(zlib.crc32(body[:end].tobytes())), np.uint8)
