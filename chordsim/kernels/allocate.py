"""The allocator behind the switch: the plans of `chordsim.quant.allocate`, code for code, several times sooner."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Ints
from chordsim.quant import allocate as reference
from chordsim.quant.allocate import Allocation, Costs

Array = np.ndarray[Any, Any]
_PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


def allocate(utilities: Tensor, costs: Costs, limits: Tensor, lowest: int = 0) -> Allocation:
    """Choose one code per channel and device, as `chordsim.quant.allocate.allocate` does, with the same result.

    A device's plan depends on nothing but its own utilities and limits. Utilities of other types than float32 go to the reference.

    Args:
        utilities: [D, C, 4] float; all finite.
        costs: Costs per budget; the last sets prices.
        limits: [D, B] int64, what each device grants.
        lowest: The smallest code that may be used, 0 to 2.

    Raises:
        ValueError: Shapes disagree, a utility is not finite, or there is no choice above ``lowest``.
    """
    if utilities.dtype != torch.float32 or utilities.numel() == 0:
        return reference.allocate(utilities, costs, limits, lowest)
    reference.check_shapes(utilities, costs, limits, lowest)
    from chordsim.kernels.native.allocator import allocate_all

    prices = _prices(costs, lowest)
    devices, channels, _ = utilities.shape
    side_by_side, by_code = utilities.stride()[1:] == (4, 1), utilities.stride(1) == 1
    read = utilities if side_by_side or by_code else utilities.contiguous()
    # Read where it stands; one plan for everybody comes as one row that is repeated without being copied.
    where = (read.data_ptr(), 4 * read.stride(0), 4 * read.stride(2) if read.stride(2) > 1 else 0)
    codes, refused = np.empty((devices, channels), np.uint8), np.empty(devices, np.bool_)
    binding, multiplier = np.empty(devices, np.int64), np.empty(devices, np.float32)
    granted = np.ascontiguousarray(limits.numpy())
    out = (codes, refused, binding, multiplier)
    if not allocate_all(where, prices, granted, lowest, reference.STEPS, out):
        raise ValueError(reference.NOT_FINITE)
    return Allocation(torch.from_numpy(codes), torch.from_numpy(refused), torch.from_numpy(binding), torch.from_numpy(multiplier))


def channel_sums(codes: Tensor, widths: tuple[int, int, int, int], fan_in: Ints, macs: Ints) -> tuple[Ints, Ints, Ints]:
    """Add up what plans cost, as `chordsim.quant.budget.channel_sums` does.

    Args:
        codes: Bytes [D, C].
        widths: Bits that codes stand for.
        fan_in: Weights of each channel, [C].
        macs: Operations of each channel, [C].
    """
    from chordsim.kernels.native.allocator import sum_all

    out = np.empty((3, codes.shape[0]), np.int64)
    sum_all(np.ascontiguousarray(codes.numpy()), np.array(widths, np.int64), fan_in, macs, out)
    return out[0], out[1], out[2]


@lru_cache(maxsize=16)
def _prices(costs: Costs, lowest: int) -> tuple[Array, ...]:
    """Return what follows from costs alone, as `allocate_all` takes it; kept, since costs stay the same for a whole run."""
    prices, cost = reference.storage_price(costs).numpy(), costs.values.numpy()
    slopes = np.stack([_slope(prices, a, b) if a >= lowest else np.zeros(len(prices), np.float32) for a, b in _PAIRS])
    same = np.array([code > lowest and bool((cost[..., code] == cost[..., code - 1]).all()) for code in range(4)])
    steps = np.ascontiguousarray(np.diff(cost, axis=-1).transpose(0, 2, 1)[:, lowest:])
    unit = np.maximum(np.gcd.reduce(steps.reshape(len(steps), -1), axis=1), 1)
    whole = steps // unit[:, None, None]
    total = whole.sum((1, 2))
    weight = whole.reshape(len(whole), -1).astype(np.float32 if int(total.max()) < reference.EXACT_FLOAT32 else np.float64)
    distinct = np.array([next(a for a in range(b + 1) if np.array_equal(weight[a], weight[b])) for b in range(len(weight))])
    until = np.array([np.flatnonzero(row).max(initial=-1) + 1 for row in weight])
    return slopes, same, weight, total.astype(np.float64), distinct, until, cost[:, :, lowest].sum(1), unit


def _slope(prices: Array, a: int, b: int) -> Array:
    return (1.0 / (prices[:, b] - prices[:, a])).astype(np.float32)
