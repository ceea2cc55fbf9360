"""Item and position embeddings on the wire and on the phone: 32, 16 or 8 bits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor


def encode(table: Tensor, bits: int, name: str) -> dict[str, Tensor]:
    """Return the tensors that store ``table`` [N, d]: floats, or int8 with one float32 scale per row."""
    if bits == 32:
        return {name: table.float().contiguous()}
    if bits == 16:
        return {name: table.half().contiguous()}
    scale = table.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
    return {name: torch.round(table / scale).to(torch.int8).contiguous(), f"{name}.scale": scale.float().contiguous()}


def decode(stored: Mapping[str, Tensor], name: str) -> Tensor:
    """Return the float32 table that `encode` stored."""
    table = stored[name].float()
    scale = stored.get(f"{name}.scale")
    return table if scale is None else table * scale


def rounded(table: Tensor, bits: int) -> Tensor:
    """Return ``table`` as a phone will see it after the trip."""
    return decode(encode(table, bits, "t"), "t")


def look_up(table: Tensor, items: Tensor) -> Tensor:
    """Return the rows [..., d] of item ids [...], of a ``table`` [N, d].

    As ``table[items]``, but for the gradient: threads add to that of an indexed table in whatever order they come, here in
    the order of ``items``, so that training with several threads ends in the same bits each time.
    """
    return F.embedding(items, table)


def table_bytes(rows: int, dim: int, bits: int) -> int:
    """Return the bytes that a table of ``rows`` takes on the phone."""
    return rows * dim * bits // 8 + (4 * rows if bits == 8 else 0)
