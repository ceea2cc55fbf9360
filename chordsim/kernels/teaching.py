"""Training behind the switch: products with the rows that each user's plan chose, and their gradients, several times sooner."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.quant import straight_through as reference

Array = np.ndarray[Any, Any]
_LANES, _TILE = 16, 8


def product(x: Tensor, chances: Tensor, rows: Tensor, codes: Tensor) -> Tensor:
    """Return activations times the rows that codes name, as `chordsim.quant.straight_through.product` does, up to the order of sums.

    A window's products and gradients depend on that window alone; the rows' gradient is summed in the order of windows. Types other
    than float32, and rows that are not whole vectors, go to the reference.

    Args:
        x: [D, n, K].
        chances: Soft choice, [4, D, C].
        rows: Every channel at every code, [4, C, K].
        codes: Hard choice, int64 [D, C].

    Returns:
        [D, n, C].
    """
    channels, fan_in = rows.shape[1:]
    if x.dtype != torch.float32 or rows.dtype != torch.float32 or fan_in % _LANES or channels % _TILE:
        return reference.product(x, chances, rows, codes)
    out: Tensor = _Product.apply(x, chances, rows, codes)  # type: ignore[no-untyped-call]
    return out


class _Product(torch.autograd.Function):
    """The compiled loops of `chordsim.kernels.native.gradients`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, chances: Tensor, rows: Tensor, codes: Tensor) -> Tensor:
        """Return x [D, n, K] times each user's own weights, [D, n, C]."""
        from chordsim.kernels.native.gradients import multiply_all

        given, table = x.detach().contiguous(), rows.detach().contiguous()
        chosen, live = codes.to(torch.uint8).contiguous(), (table != 0).any(-1).to(torch.uint8)
        ctx.save_for_backward(given, table, chosen, live)
        channels, fan_in = table.shape[1:]
        out = torch.empty(*x.shape[:2], channels)
        room = np.empty((fan_in, -(-channels // _LANES) * _LANES), np.float32)
        lists, waste = _room(x.shape[1], channels, fan_in)
        multiply_all(given.numpy(), chosen.numpy(), table.numpy(), live.numpy(), room, lists, waste, out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Return the gradients of activations, of the chances of each code, and of the rows that were used."""
        from chordsim.kernels.native.gradients import gradients_all

        x, rows, codes, live = ctx.saved_tensors
        kinds, channels, fan_in = rows.shape
        made = torch.empty_like(x), torch.empty(kinds, x.shape[0], channels), torch.zeros_like(rows)
        whole, (lists, waste) = np.empty((channels, fan_in), np.float32), _room(x.shape[1], channels, fan_in)
        asked = upstream[0].contiguous().numpy()
        out = tuple(part.numpy() for part in made)
        gradients_all(x.numpy(), codes.numpy(), rows.numpy(), live.numpy(), asked, whole, lists, waste, out)
        return *(part if asks else None for part, asks in zip(made, ctx.needs_input_grad, strict=False)), None


def _room(positions: int, channels: int, fan_in: int) -> tuple[Array, Array]:
    """Return room for addresses, and zeros of which one end is read and the other written to."""
    long = max(positions, channels, fan_in) + 2 * _LANES
    return np.empty((5, long), np.int64), np.zeros(fan_in + long, np.float32)
