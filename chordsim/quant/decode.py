"""The phone's own table under `decode = "device"`: from importance codes to the precisions that its budgets allow.

The cloud knows no phone then: a code says how much a channel matters. Every phone owns the same ladder of tables. The first
takes codes as they are; each further one takes a step off every code, down to the smallest in use. A phone reads its plan
with the first table under which it holds all of its budgets. With codes 1, 2, 3 for 2, 4, 8 bits the tables are
{2, 4, 8}, {2, 2, 4} and {2, 2, 2}.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Bools
from chordsim.methods import Budgets
from chordsim.quant.budget import BITS, PlanBudget, refusals

#: What a cloud that decodes nothing assumes of every phone: all the room there is, so that its own cap alone limits a plan.
_PLENTY = (2**52, 1e15, 32.0, 1.0)


def unknown_phones(rows: int) -> Budgets:
    """Return the budgets that the cloud plans for where phones decode, [rows]."""
    memory, latency, bits, speed = _PLENTY
    return Budgets(np.full(rows, memory, np.int64), np.full(rows, latency), np.full(rows, bits), np.full(rows, speed))


def tables(lowest: int) -> Tensor:
    """Return the ladder, most generous first: the code that each code 0 to 3 becomes, [4 - lowest, 4], int64."""
    steps = torch.arange(4 - lowest)[:, None]
    return (torch.arange(4) - steps).clamp_min(lowest)


def decode(codes: Tensor, lowest: int, budget: PlanBudget, granted: Budgets) -> Tensor:
    """Return codes [D, C], uint8, as each phone reads them: by the first table that its budgets hold, else by the last.

    Args:
        codes: Importance codes [D, C], ``lowest`` to 3.
        lowest: The smallest code in use.
        budget: What plans cost.
        granted: What each phone grants, [D].
    """
    ladder = tables(lowest).to(torch.uint8)
    chosen = ladder[-1][codes.long()]
    for table in ladder[:-1].flip(0):
        read = table[codes.long()]
        fits = torch.from_numpy(breaks(read, budget, granted) == 0)
        chosen = torch.where(fits[:, None], read, chosen)
    return chosen


def breaks(codes: Tensor, budget: PlanBudget, granted: Budgets) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return which budget each plan would break on its phone, codes into `BINDINGS`, 0 where it holds all, [D]."""
    spent = budget.cost_of(codes)
    over: Bools = spent.weight_bits > np.floor(granted.bits * budget.shapes.weights)
    held = refusals(spent.peak_memory_bytes, spent.macs, granted)
    return np.where((held == 0) & over, BITS + 1, held).astype(np.uint8)
