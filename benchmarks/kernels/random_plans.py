"""Random plans of both allocators, compared code by code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from chordsim.kernels.allocate import allocate
from chordsim.quant import allocate as reference
from chordsim.quant.allocate import Costs

KINDS = ("bits", "flat", "free", "any", "big", "mixed")
WIDTHS = ((0, 2, 4, 8), (0, 2, 2, 2), (2, 3, 4, 8), (0, 0, 2, 4), (0, 4, 8, 8))
Case = tuple[Tensor, Costs, Tensor, int]


def instance(seed: Sequence[int], devices: int, *, kind: str = "", lowest: int = -1, most: int = 64) -> Case:
    """Draw utilities, costs, limits and the smallest code.

    Args:
        seed: Of everything that is drawn.
        devices: How many plans.
        kind: How codes cost, one of `KINDS`; drawn if empty.
        lowest: The smallest code; drawn if negative.
        most: Channels, at most.
    """
    rng = np.random.default_rng(seed)
    channels, budgets = int(rng.integers(1, most + 1)), int(rng.integers(1, 4))
    costs = _costs(rng, budgets, channels, kind or str(rng.choice(KINDS)))
    return _utilities(rng, devices, channels), costs, _limits(rng, costs, devices), int(rng.integers(0, 3)) if lowest < 0 else lowest


def compare(case: Case) -> int:
    """Return how many plans of one case differ in anything: codes, refusal, budget that binds, multiplier."""
    one, other = reference.allocate(*case), allocate(*case)
    wrong = torch.zeros(case[0].shape[0], dtype=torch.bool)
    for name in ("codes", "refused", "binding", "multiplier"):
        a, b = getattr(one, name), getattr(other, name)
        if a.dtype != b.dtype or a.shape != b.shape:
            raise TypeError(f"{name}: {a.dtype} {tuple(a.shape)} against {b.dtype} {tuple(b.shape)}")
        wrong |= (a != b).flatten(1).any(1) if a.ndim > 1 else a != b
    return int(wrong.sum())


def _costs(rng: np.random.Generator, budgets: int, channels: int, kind: str) -> Costs:
    """Return costs by widths in bits, flat above code 0 (latency), none, any rising ones, and sums beyond what float32 counts."""
    rows: list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = []
    units = rng.integers(1, 300, (channels, 1)) if rng.random() < 0.5 else np.full((channels, 1), 64)
    widths = np.array(WIDTHS[int(rng.integers(len(WIDTHS)))])
    for _ in range(budgets):
        chosen = kind if kind != "mixed" else str(rng.choice(KINDS[:-1]))
        if chosen == "bits":
            rows.append(units * widths)
        elif chosen == "flat":
            rows.append(units * np.array([0, 50, 50, 50]))
        elif chosen == "free":
            rows.append(np.zeros((channels, 4), np.int64))
        elif chosen == "big":
            rows.append(np.sort(rng.integers(0, 2**50 // channels, (channels, 4)), 1))
        else:
            rows.append(np.sort(rng.integers(0, 1000, (channels, 4)), 1))
    return Costs(torch.from_numpy(np.stack(rows).astype(np.int64)))


def _limits(rng: np.random.Generator, costs: Costs, devices: int) -> Tensor:
    """Return limits from hopeless to boundless, each budget's on its own; also exactly the smallest and the dearest plan."""
    low, high = costs.values[:, :, 0].sum(1).numpy(), costs.values[:, :, 3].sum(1).numpy()
    limits = np.floor(low + rng.uniform(-0.1, 1.3, (devices, low.size)) * (high - low)).astype(np.int64)
    special = rng.integers(0, 12, (devices, low.size))
    for number, value in enumerate((low, high, low - 1, np.full_like(low, 2**52), np.full_like(low, -(2**52)))):
        limits = np.where(special == number, value, limits)
    return torch.from_numpy(limits)


def _utilities(rng: np.random.Generator, devices: int, channels: int) -> Tensor:
    """Return concave, shapeless, equal, whole (ties) and unwanted utilities, device by device."""
    shape = (devices, channels, 4)
    wild = rng.normal(0, rng.choice([1e-3, 1.0, 1e3]), shape)
    concave = np.cumsum(np.abs(rng.normal(0, 1, shape)) * np.array([1, 1, 0.5, 0.2]), -1)
    choices = np.stack([wild, concave, np.full(shape, 0.7), rng.integers(0, 3, shape).astype(float), -np.cumsum(np.abs(wild), -1)])
    return torch.from_numpy(choices[rng.integers(0, len(choices), devices), np.arange(devices)].astype(np.float32))
