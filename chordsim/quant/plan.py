"""Plans as weights: each phone's rows from tables of pre-quantized channels."""

from __future__ import annotations

import torch
from torch import Tensor

from chordsim.nets.choice import Choice
from chordsim.nets.layers import Layer


def split_channels(values: Tensor, layers: tuple[Layer, ...], dim: int = -1) -> list[Tensor]:
    """Cut a tensor that runs over all channels along ``dim`` into one view per layer."""
    parts: list[Tensor] = list(torch.split(values, [layer.channels for layer in layers], dim))
    return parts


def gather(tables: list[Tensor], codes: Tensor, layers: tuple[Layer, ...], room: Tensor | None = None) -> list[Choice]:
    """Return the weights of D phones, built as they are met.

    Args:
        tables: Per layer, every channel at every code, [4, C, K].
        codes: [D, sum of C], codes 0 to 3; int64 for torch, bytes will do for kernels.
        layers: Shapes, in plan order.
        room: Memory from `room_for` to build in; what comes back is good while no other weights are built there.
    """
    parts = split_channels(codes, layers)
    return [Choice(rows, code, room) for rows, code in zip(tables, parts, strict=True)]


def room_for(phones: int, layers: tuple[Layer, ...]) -> Tensor:
    """Return memory in which any one layer of so many phones can be built, float32."""
    return torch.empty(phones * max(layer.channels * layer.fan_in for layer in layers))
