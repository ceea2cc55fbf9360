"""Integer levels packed at 2, 4 or 8 bits: how quantized weights are stored and shipped."""

from __future__ import annotations

import torch
from torch import Tensor

from chordsim.wire.errors import BadPayload


def pack_levels(levels: Tensor, bits: int) -> Tensor:
    """Pack int8 levels [C, K] into uint8 [C, ceil(K * bits / 8)], offset so that they are unsigned, lowest bits first."""
    per_byte = 8 // bits
    unsigned = (levels.to(torch.int16) + 2 ** (bits - 1)).to(torch.uint8)
    unsigned = torch.nn.functional.pad(unsigned, (0, -unsigned.shape[1] % per_byte))
    parts = unsigned.view(unsigned.shape[0], -1, per_byte)
    packed = torch.zeros(parts.shape[:2], dtype=torch.uint8)
    for n in range(per_byte):
        packed |= parts[..., n] << (n * bits)
    return packed


def unpack_levels(packed: Tensor, bits: int, fan_in: int) -> Tensor:
    """Return the int8 levels [C, fan_in] that `pack_levels` stored.

    Raises:
        BadPayload: Not bytes.
    """
    _check_bytes(packed)
    per_byte = 8 // bits
    parts = torch.stack([(packed >> (n * bits)) & (2**bits - 1) for n in range(per_byte)], -1)
    flat = parts.reshape(packed.shape[0], -1)[:, :fan_in]
    signed: Tensor = flat.to(torch.int16) - 2 ** (bits - 1)
    return signed.to(torch.int8)


def pack_bits(mask: Tensor) -> Tensor:
    """Pack a boolean tensor into uint8, row by row flat, lowest bits first."""
    flat = torch.nn.functional.pad(mask.reshape(-1).to(torch.uint8), (0, -mask.numel() % 8)).view(-1, 8)
    return (flat << torch.arange(8, dtype=torch.uint8)).sum(1).to(torch.uint8)


def unpack_bits(packed: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the boolean tensor of ``shape`` that `pack_bits` stored.

    Raises:
        BadPayload: Not bytes.
    """
    _check_bytes(packed)
    flat = ((packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1).reshape(-1)
    return flat[: int(torch.Size(shape).numel())].view(shape).bool()


def _check_bytes(packed: Tensor) -> None:
    if packed.dtype != torch.uint8:
        raise BadPayload(f"packed numbers are bytes, not {packed.dtype}")
