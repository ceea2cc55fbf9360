"""`embedding_bits = "by-frequency"`: rows of items that occur often have more bits than those of rare ones.

Published for click models, where most embeddings belong to ids that hardly ever occur (mixed-precision and mixed-dimension tables); which
share of the catalogue gets which width is inference. How often an item occurs is counted in the cloud's logs; equal counts stand in the
order of ids. On the wire a row says its width in one byte before its numbers; a stored table says it in two bits a row.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Bytes, Ints
from chordsim.wire.errors import BadPayload
from chordsim.wire.item_rows import row_bytes

NAME = "by-frequency"
#: Bits, and the share of the catalogue that has them, the most frequent items first; the rest has the last.
WIDTHS, SHARES = (8, 4, 2), (0.1, 0.3)
#: Bytes before a row that say its width.
TAG_BYTES = 1


def counts(n_items: int) -> tuple[int, ...]:
    """Return how many items have each of `WIDTHS`."""
    first = -(-n_items // 10)
    second = min(-(-3 * n_items // 10), n_items - first)
    return first, second, n_items - first - second


def widths_of(popularity: Ints) -> Bytes:
    """Return the bits of each item's row, uint8 [n_items + 1].

    Args:
        popularity: How often each item occurs in the cloud's logs, [n_items + 1]; index 0 is padding, of the fewest bits.
    """
    order = np.lexsort((np.arange(1, popularity.size), -popularity[1:])) + 1
    out = np.full(popularity.size, WIDTHS[-1], np.uint8)
    out[order] = np.repeat(np.array(WIDTHS, np.uint8), counts(popularity.size - 1))
    return out


def wire_bytes(widths: Bytes, dim: int) -> Ints:
    """Return the bytes of rows of so many bits on the wire, each with its tag, shape of ``widths``."""
    by_width = np.zeros(max(WIDTHS) + 1, np.int64)
    for bits in WIDTHS:
        by_width[bits] = TAG_BYTES + row_bytes(dim, bits)
    return by_width[widths]


def most_bytes(dim: int) -> int:
    """Return the bytes of the widest row on the wire."""
    return TAG_BYTES + row_bytes(dim, max(WIDTHS))


def table_bytes(rows: int, dim: int) -> int:
    """Return the bytes of a whole table with its padding row, widths included."""
    some = list(counts(rows - 1))
    some[-1] += 1
    return sum(n * row_bytes(dim, bits) for n, bits in zip(some, WIDTHS, strict=True)) + -(-rows // 4)


def pack_widths(widths: Tensor) -> Tensor:
    """Return widths [N] as codes of two bits, [ceil(N / 4)], lowest bits first."""
    codes = torch.zeros(-(-widths.numel() // 4) * 4, dtype=torch.int32)
    for code, bits in enumerate(WIDTHS):
        codes[: widths.numel()][widths == bits] = code
    return (codes.view(-1, 4) << torch.arange(0, 8, 2, dtype=torch.int32)).sum(1).to(torch.uint8)


def unpack_widths(packed: Tensor, parts: Mapping[int, Tensor]) -> Tensor:
    """Return widths [N] of a table that is stored in ``parts`` by their bits.

    Raises:
        BadPayload: Codes that say another number of rows of some width than there are.
    """
    codes = ((packed.int()[:, None] >> torch.arange(0, 8, 2, dtype=torch.int32)) & 3).view(-1)
    codes = codes[: sum(len(part) for part in parts.values())]
    widths = torch.zeros(codes.numel(), dtype=torch.uint8)
    for code, bits in enumerate(WIDTHS):
        widths[codes == code] = bits
        if int((codes == code).sum()) != len(parts[bits]):
            raise BadPayload(f"item widths: {int((codes == code).sum())} rows of {bits} bits where {len(parts[bits])} are stored")
    return widths
