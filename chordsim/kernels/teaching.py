"""Training behind the switch: products with the rows that each user chose, attention, dropout, and their gradients, sooner than torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.kernels.lanes import LANES, whole_vectors
from chordsim.nets import dropout, sasrec
from chordsim.quant import straight_through as reference

Array = np.ndarray[Any, Any]
_TILE = 8


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
    if x.dtype != torch.float32 or rows.dtype != torch.float32 or fan_in % LANES or channels % _TILE:
        return reference.product(x, chances, rows, codes)
    out: Tensor = _Product.apply(x, chances, rows, codes)  # type: ignore[no-untyped-call]
    return out


class _Product(torch.autograd.Function):
    """The compiled loops of `chordsim.kernels.native.gradients`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, chances: Tensor, rows: Tensor, codes: Tensor) -> Tensor:
        """Return x [D, n, K] times each user's own weights, [D, n, C]."""
        from chordsim.kernels.native.gradients import find_live, multiply_all

        given, table = x.detach().contiguous(), rows.detach().contiguous()
        chosen, live = codes.to(torch.uint8).contiguous(), torch.empty(table.shape[:2], dtype=torch.uint8)
        find_live(table.numpy(), live.numpy())
        ctx.save_for_backward(given, table, chosen, live)
        channels, fan_in = table.shape[1:]
        out = torch.empty(*x.shape[:2], channels)
        room = np.empty((fan_in, whole_vectors(channels)), np.float32)
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


def attend(q: Tensor, k: Tensor, v: Tensor, items: Tensor, heads: int) -> Tensor:
    """Return what queries mix of values, as `chordsim.nets.sasrec.attend` does, up to the order of sums.

    A window's results depend on that window alone. Other types than float32, heads that are no whole vectors, and items that do not
    stand at the end of their rows go to the reference.

    Args:
        q: Queries of the last R positions, [D, R, d].
        k: Keys [D, L, d].
        v: Values [D, L, d].
        items: Item ids [D, L], 0 where there is none.
        heads: How many.

    Returns:
        [D, R, d].
    """
    real = items > 0
    if q.dtype != torch.float32 or q.shape[2] % (heads * LANES) or bool((real[:, 1:] < real[:, :-1]).any()):
        return sasrec.attend(q, k, v, items, heads)
    out: Tensor = _Attention.apply(q, k, v, items.shape[1] - real.sum(1), heads)  # type: ignore[no-untyped-call]
    return out


class _Attention(torch.autograd.Function):
    """The compiled loops of `chordsim.kernels.native.attention`."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, starts: Tensor, heads: int) -> Tensor:
        """Return what queries mix, [D, R, d]."""
        from chordsim.kernels.native.attention import attend_all

        given = [part.detach().contiguous() for part in (q, k, v)]
        chances, out = torch.empty(q.shape[0], heads, q.shape[1], whole_vectors(k.shape[1])), torch.empty_like(given[0])
        queries, keys, values = (part.numpy() for part in given)
        room = _places(k.shape[1], q.shape[2], heads)
        attend_all(queries, keys, values, starts.numpy(), heads, room, chances.numpy(), out.numpy())
        ctx.heads = heads
        ctx.save_for_backward(*given, starts, chances)
        return out

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Return the gradients of queries, keys and values."""
        from chordsim.kernels.native.attention import attention_gradients

        *given, starts, chances = ctx.saved_tensors
        made = tuple(torch.zeros_like(part) for part in given)
        (_, queries, width), length = given[0].shape, given[1].shape[1]
        room = *_places(length, width, ctx.heads), np.empty((queries, whole_vectors(length)), np.float32)
        arrays, out = (tuple(part.numpy() for part in parts) for parts in (given, made))
        attention_gradients(arrays, starts.numpy(), ctx.heads, room, chances.numpy(), upstream[0].contiguous().numpy(), out)
        return *made, None, None


def thinned(x: Tensor, chances: Tensor, cut: int, factor: float) -> Tensor:
    """Return what `chordsim.nets.dropout.thinned` does, bit for bit; types other than float32 go there.

    Args:
        x: Any shape.
        chances: Random bytes of its shape.
        cut: Below it a number becomes 0.
        factor: What the others are multiplied by.
    """
    if x.dtype != torch.float32:
        return dropout.thinned(x, chances, cut, factor)
    out: Tensor = _Thinned.apply(x, chances, cut, factor)  # type: ignore[no-untyped-call]
    return out


class _Thinned(torch.autograd.Function):
    """The compiled loop of `chordsim.kernels.native.gradients`, which is its own gradient's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, chances: Tensor, cut: int, factor: float) -> Tensor:
        """Return what is left of ``x``."""
        ctx.save_for_backward(chances)
        ctx.cut, ctx.factor = cut, factor
        return _thin(x.detach(), chances, cut, factor)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Return the gradient of ``x``."""
        (chances,) = ctx.saved_tensors
        return _thin(upstream[0], chances, ctx.cut, ctx.factor), None, None, None


def _thin(x: Tensor, chances: Tensor, cut: int, factor: float) -> Tensor:
    from chordsim.kernels.native.gradients import thin_all

    given = x.contiguous()
    out = torch.empty_like(given)
    thin_all(given.numpy().reshape(-1), chances.numpy().reshape(-1), np.uint8(cut), np.float32(factor), out.numpy().reshape(-1))
    return out


def _places(length: int, width: int, heads: int) -> tuple[Array, ...]:
    """Return where attention works: one head's columns, two vectors, addresses, zeros of which the second half is written to."""
    long = whole_vectors(length) + width + 2 * LANES
    columns = np.empty((width // heads, whole_vectors(length)), np.float32)
    return columns, np.empty((2, LANES), np.float32), np.empty((5, long), np.int64), np.zeros(2 * long, np.float32)


def _room(positions: int, channels: int, fan_in: int) -> tuple[Array, Array]:
    """Return room for addresses, and zeros of which one end is read and the other written to."""
    long = max(positions, channels, fan_in) + 2 * LANES
    return np.empty((5, long), np.int64), np.zeros(fan_in + long, np.float32)
