"""Plans as weights: gather each phone's rows from a table of pre-quantized channels."""

from __future__ import annotations

import torch
from torch import Tensor

from chordsim.nets.choice import Choice
from chordsim.nets.shapes import Layer


def split_channels(values: Tensor, layers: tuple[Layer, ...], dim: int = -1) -> list[Tensor]:
    """Cut a tensor that runs over all channels along ``dim`` into one view per layer."""
    parts: list[Tensor] = list(torch.split(values, [layer.channels for layer in layers], dim))
    return parts


def gather(tables: list[Tensor], codes: Tensor, layers: tuple[Layer, ...]) -> list[Tensor | Choice]:
    """Return the weights of D phones: built [D, C, K] where a layer meets many positions, else a `Choice`.

    Args:
        tables: Per layer, every channel at every code, [4, C, K].
        codes: [D, sum of C], integer codes 0 to 3.
        layers: Shapes, in plan order.
    """
    return [
        build(rows, code) if layer.positions > 1 else Choice(rows, code)
        for rows, code, layer in zip(tables, split_channels(codes.long(), layers), layers, strict=True)
    ]


def build(rows: Tensor, codes: Tensor) -> Tensor:
    """Build one layer's weights [D, C, K] from rows [4, C, K] and codes [D, C], int64."""
    kinds, channels, fan_in = rows.shape
    index = codes * channels + torch.arange(channels)
    return rows.reshape(kinds * channels, fan_in).index_select(0, index.reshape(-1)).view(-1, channels, fan_in)
