"""Item and position embeddings on the wire and on the phone: 32, 16, 8, 4 or 2 bits a number.

Rows of 8 bits and fewer have a float32 scale each. Eight bits are whole numbers from -127 to 127; four and two bits are 16 and 4 levels
that lie evenly on both sides of 0, packed, with the scale that leaves the least squared error of some that are tried (a searched
clip, as usual for so few levels; inference).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.nets import by_frequency
from chordsim.wire.errors import BadPayload
from chordsim.wire.item_rows import row_bytes

#: Bits of a number in a row, or a word for rows that differ.
Bits = int | str

#: Shares of a row's largest number that are tried as the outermost level.
_CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
#: Below this many bits numbers are packed into bytes.
PACKED_BELOW = 8


def encode(table: Tensor, bits: Bits, name: str, widths: Tensor | None = None) -> dict[str, Tensor]:
    """Return the tensors that store ``table`` [N, d]: floats, int8, or packed levels, with one float32 scale a row below 16 bits.

    Args:
        table: Rows.
        bits: A number a row, the same for all, or `by_frequency.NAME`.
        name: Of the table.
        widths: Bits of each row, [N], where they differ.
    """
    if isinstance(bits, str):
        assert widths is not None
        parts = [encode(table[widths == width], width, f"{name}.{width}") for width in by_frequency.WIDTHS]
        return {f"{name}.widths": by_frequency.pack_widths(widths)} | {key: value for part in parts for key, value in part.items()}
    if bits == 32:
        return {name: table.float().contiguous()}
    if bits == 16:
        return {name: table.half().contiguous()}
    if bits == 8:
        scale = table.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
        return {name: torch.round(table / scale).to(torch.int8).contiguous(), f"{name}.scale": scale.float().contiguous()}
    levels, scale = _levels(table.float(), bits)
    return {name: _pack(levels, bits), f"{name}.scale": scale}


def decode(stored: Mapping[str, Tensor], name: str, dim: int) -> Tensor:
    """Return the float32 table [N, dim] that `encode` stored.

    Raises:
        BadPayload: Bytes that hold rows of this width at no number of bits, or rows of other widths than are said.
    """
    if f"{name}.widths" in stored:
        parts = {width: decode(stored, f"{name}.{width}", dim) for width in by_frequency.WIDTHS}
        widths = by_frequency.unpack_widths(stored[f"{name}.widths"], parts)
        whole = torch.zeros(widths.numel(), dim)
        for width, part in parts.items():
            whole[widths == width] = part
        return whole
    table, scale = stored[name], stored.get(f"{name}.scale")
    if table.dtype == torch.uint8:
        bits = next((b for b in (2, 4) if -(-dim * b // 8) == table.shape[1]), 0)
        if not bits:
            raise BadPayload(f"{name}: rows of {table.shape[1]} bytes hold no {dim} numbers of 2 or 4 bits")
        table = _unpack(table, bits, dim).float() - (2**bits - 1) / 2
    return table.float() if scale is None else table.float() * scale


def stored_shapes(rows: int, dim: int, bits: Bits, name: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors in which a table of ``rows``, padding included, is stored, its scales apart."""
    if isinstance(bits, str):
        some = list(by_frequency.counts(rows - 1))
        some[-1] += 1
        parts = {f"{name}.{width}": (n, _wide(dim, width)) for n, width in zip(some, by_frequency.WIDTHS, strict=True)}
        return {f"{name}.widths": (-(-rows // 4),), **parts}
    return {name: (rows, _wide(dim, bits))}


def rounded(table: Tensor, bits: Bits, widths: Tensor | None = None) -> Tensor:
    """Return ``table`` as a phone will see it after the trip."""
    return decode(encode(table, bits, "t", widths), "t", table.shape[1])


def look_up(table: Tensor, items: Tensor) -> Tensor:
    """Return the rows [..., d] of item ids [...], of a ``table`` [N, d].

    As ``table[items]``, but for the gradient: threads add to that of an indexed table in whatever order they come, here in
    the order of ``items``, so that training with several threads ends in the same bits each time.
    """
    return F.embedding(items, table)


def scaled_rows(table: Tensor, items: Tensor) -> Tensor:
    """Return the rows [..., d] of item ids [...] times sqrt(d), zero at padding: the input of a backbone without a table of positions."""
    return look_up(table, items) * (math.sqrt(table.shape[1]) * (items > 0).unsqueeze(-1))


def table_bytes(rows: int, dim: int, bits: Bits, *, whole: bool = True) -> int:
    """Return the bytes that a table of ``rows`` takes on the phone, each row in whole bytes.

    Args:
        rows: How many, padding included.
        dim: Numbers of a row.
        bits: Of a number.
        whole: Whether it is the catalogue; of others, rows by frequency may all be wide ones, which is an upper end.
    """
    if isinstance(bits, str):
        return by_frequency.table_bytes(rows, dim) if whole else rows * by_frequency.most_bytes(dim)
    return rows * row_bytes(dim, bits)


def _wide(dim: int, bits: int) -> int:
    return dim if bits >= PACKED_BELOW else -(-dim * bits // 8)


def _levels(table: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return levels 0 to 2^bits - 1, uint8 [N, d], and the scale [N, 1] of each row with the least squared error."""
    middle = (2**bits - 1) / 2
    largest = table.abs().amax(1, keepdim=True)
    best = torch.zeros_like(table, dtype=torch.uint8)
    scale, least = torch.zeros_like(largest), torch.full_like(largest, torch.inf)
    for clip in _CLIPS:
        step = largest * (clip / middle)
        level = torch.round(table / step.clamp_min(1e-12) + middle).clamp(0, 2 * middle)
        error = ((level - middle) * step - table).square().sum(1, keepdim=True)
        better = error < least
        best, scale, least = (
            torch.where(better, level.to(torch.uint8), best),
            torch.where(better, step, scale),
            torch.where(better, error, least),
        )
    return best, scale.float().contiguous()


def _pack(levels: Tensor, bits: int) -> Tensor:
    """Return levels [N, d] as bytes [N, ceil(d * bits / 8)], lowest bits first."""
    each = 8 // bits
    padded = F.pad(levels, (0, -levels.shape[1] % each)).view(levels.shape[0], -1, each).int()
    shifts = torch.arange(each, dtype=torch.int32) * bits
    return (padded << shifts).sum(2).to(torch.uint8).contiguous()


def _unpack(packed: Tensor, bits: int, dim: int) -> Tensor:
    shifts = torch.arange(8 // bits, dtype=torch.int32) * bits
    levels = (packed.int().unsqueeze(2) >> shifts) & (2**bits - 1)
    spread: Tensor = levels.view(packed.shape[0], -1)
    return spread[:, :dim]
