"""What a phone does with its seed and its plan, step by step in numpy: draw, mask, quantize, pack; and unpack when a program is loaded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim import seeds
from chordsim.runtime.reference.normals import normals
from chordsim.runtime.reference.rounding import rounded

Single = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """One frozen layer as a plan sees it: rows that have a code each.

    Attributes:
        name: Such as ``block0.query``; the layer's random numbers are drawn under it.
        rows: Channels, or groups of all channels.
        width: Weights of one row.
        gain: Variance of a random weight times ``width``.
    """

    name: str
    rows: int
    width: int
    gain: float


@dataclass(frozen=True)
class Packed:
    """A plan's weights at rest.

    Attributes:
        bits: Stored bits of each row, [sum of rows].
        levels: Rows one after another, each in whole bytes; rows of 0 bits take none.
        scales: What a row's levels are multiplied by, [sum of rows]; 0 for rows of 0 bits.
    """

    bits: Codes
    levels: Bytes
    scales: Single


def draw(parts: Sequence[Part], seed: int, law: str = "gaussian") -> list[Single]:
    """Return the frozen backbone of a seed, [rows, width] for each part.

    Args:
        parts: In plan order.
        seed: The scenario's.
        law: ``gaussian``, or ``signed`` for the signs of those numbers.
    """
    out = []
    for part in parts:
        drawn = normals(seeds.key(seed, f"backbone.{part.name}") >> 1, part.rows * part.width).reshape(part.rows, part.width)
        if law == "signed":
            drawn = np.where(drawn < 0, np.float32(-1), np.float32(1))
        out.append(drawn * np.float32(math.sqrt(part.gain / part.width)))
    return out


def masked(weights: Sequence[Single], kept: Bytes | None, keep: float, turned: Bytes | None = None) -> list[Single]:
    """Return weights under the shared mask, rescaled to keep their variance.

    Args:
        weights: From `draw`.
        kept: One bit for each weight of a part, lowest bits first, a part after the other, each in whole bytes; None for no mask.
        keep: Share of weights that the mask keeps.
        turned: Bits alike, 1 for each kept weight whose sign is not the drawn one; None where none is.
    """
    if kept is None:
        return list(weights)
    out, at = [], 0
    for weight in weights:
        mask = _bits(kept, at, weight)
        if turned is not None:
            mask = mask * (1 - 2 * _bits(turned, at, weight))
        out.append(weight * mask / np.float32(math.sqrt(keep)))
        at += -(-weight.size // 8)
    return out


def _bits(packed: Bytes, at: int, weight: Single) -> Single:
    """Return a weight's bits, which start at a byte, as 0 and 1 in its shape."""
    bits = np.unpackbits(packed[at : at - (-weight.size // 8)], bitorder="little")[: weight.size]
    return bits.reshape(weight.shape).astype(np.float32)


def unpack_codes(plan: bytes, rows: int) -> Codes:
    """Return the codes of a plan, four to a byte, lowest bits first, [rows].

    Raises:
        ValueError: Not the bytes of so many codes.
    """
    if len(plan) != (rows + 3) // 4:
        raise ValueError(f"a plan of {len(plan)} bytes holds no {rows} codes")
    packed = np.frombuffer(plan, np.uint8)
    return np.asarray(np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], 1).reshape(-1)[:rows])


def pack(weights: Sequence[Single], codes: Codes, widths: Sequence[int]) -> Packed:
    """Quantize every row at the width that its code names, and pack it.

    Args:
        weights: The source, [rows, width] for each part.
        codes: Codes 0 to 3 of all rows, in plan order.
        widths: Bits of codes 0 to 3.
    """
    bits = np.asarray(widths, np.uint8)[codes]
    scales = np.zeros(bits.size, np.float32)
    packed: list[Bytes] = [np.zeros(0, np.uint8)] * bits.size
    at = 0
    for weight in weights:
        own = bits[at : at + len(weight)]
        for width in sorted(set(own.tolist()) - {0}):
            rows = np.flatnonzero(own == width)
            levels, scale = rounded(weight[rows], width)
            scales[at + rows] = scale[:, 0]
            stored = _streams(levels, width)
            for place, row in enumerate((at + rows).tolist()):
                packed[row] = stored[place]
        at += len(weight)
    return Packed(bits, np.concatenate(packed) if packed else np.zeros(0, np.uint8), scales)


def unpack(packed: Packed, parts: Sequence[Part], gains: Single | None = None) -> list[Single]:
    """Return the weights that a phone multiplies by, [rows, width] for each part: levels times scale, times the learnt gain.

    Args:
        packed: From `pack`.
        parts: In plan order.
        gains: One for each row; None for none.

    Raises:
        ValueError: Bytes are missing or left over.
    """
    sizes = row_bytes(packed.bits, parts)
    if int(sizes.sum()) != packed.levels.size:
        raise ValueError(f"{packed.levels.size} bytes of levels where {int(sizes.sum())} belong")
    begins = np.cumsum(sizes) - sizes
    out, at = [], 0
    for part in parts:
        weight = np.zeros((part.rows, part.width), np.float32)
        own = packed.bits[at : at + part.rows]
        for bits in sorted(set(own.tolist()) - {0}):
            rows = np.flatnonzero(own == bits)
            size = int(sizes[at + rows[0]])
            stored = packed.levels[(begins[at + rows])[:, None] + np.arange(size)]
            weight[rows] = _levels(stored, bits, part.width).astype(np.float32) * packed.scales[at + rows][:, None]
        out.append(weight if gains is None else weight * gains[at : at + part.rows][:, None])
        at += part.rows
    return out


def row_bytes(bits: Codes, parts: Sequence[Part]) -> npt.NDArray[np.int64]:
    """Return the whole bytes that each row's levels take, [sum of rows]."""
    width = np.concatenate([np.full(part.rows, part.width, np.int64) for part in parts])
    return -(-width * bits.astype(np.int64) // 8)


def checksum(*arrays: npt.NDArray[np.generic]) -> str:
    """Return the SHA-256 of arrays' bytes, little-endian, one after another."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def _streams(levels: npt.NDArray[np.int8], bits: int) -> Bytes:
    """Return rows as bits, lowest first, each level made unsigned by adding 2^(bits - 1), [C, whole bytes]."""
    unsigned = (levels.astype(np.int16) + 2 ** (bits - 1)).astype(np.uint8)
    single = (unsigned[:, :, None] >> np.arange(bits, dtype=np.uint8)) & 1
    return np.packbits(single.reshape(len(levels), -1), axis=1, bitorder="little")


def _levels(stored: Bytes, bits: int, width: int) -> npt.NDArray[np.int16]:
    single = np.unpackbits(stored, axis=1, bitorder="little")[:, : width * bits].reshape(len(stored), width, bits)
    unsigned = (single.astype(np.int16) << np.arange(bits, dtype=np.int16)).sum(2)
    return np.asarray(unsigned - 2 ** (bits - 1), np.int16)
