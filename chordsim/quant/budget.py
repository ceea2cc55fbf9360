"""What a plan costs a phone, and what a phone's budgets leave for it: the same sums on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Ints
from chordsim.methods import Budgets
from chordsim.nets import footprint
from chordsim.nets.shapes import Shapes
from chordsim.quant.allocate import Costs

#: Order of the budgets in costs and limits; plus one, these are codes into `chordsim.methods.BINDINGS`.
MEMORY, LATENCY, BITS = 0, 1, 2
_NO_LIMIT = 2**52
#: `channel_sums`, or what gives the same.
Sums = Callable[[Tensor, tuple[int, int, int, int], Ints, Ints], tuple[Ints, Ints, Ints]]


@dataclass(frozen=True)
class PlanCost:
    """What D plans cost, int64 [D] each: stored weight bits, peak memory, operations of one request."""

    weight_bits: Ints
    model_bytes: Ints
    peak_memory_bytes: Ints
    macs: Ints
    bitops: Ints

    def of(self, rows: Ints) -> PlanCost:
        """Return the costs of these rows."""
        return PlanCost(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class PlanBudget:
    """The arithmetic of plans for one backbone and one method.

    Attributes:
        shapes: The backbone.
        widths: Bits that codes 0 to 3 stand for.
        extra_bytes: Resident bytes that the method adds to every model: extractor, mask.
        activation_bits: Of what weights are multiplied with; they count in operations of one bit alone.
        extra_macs: Multiply-accumulates at 32 bits that the method adds to every request.
    """

    shapes: Shapes
    widths: tuple[int, int, int, int]
    extra_bytes: int
    activation_bits: int = footprint.FLOAT_BITS
    extra_macs: int = 0

    @property
    def fixed_bytes(self) -> int:
        """Peak memory of a plan that stores nothing."""
        return footprint.fixed_bytes(self.shapes) + self.extra_bytes + footprint.row_buffer_bytes(self.shapes)

    @property
    def fixed_macs(self) -> int:
        """Operations of one request that no plan changes."""
        return footprint.fixed_macs(self.shapes) + self.extra_macs

    def costs(self) -> Costs:
        """Return the cost of every code of every channel for the three budgets, [3, C, 4]; the same object each time."""
        return self._costs

    @cached_property
    def _costs(self) -> Costs:
        fan_in = torch.from_numpy(footprint.channel_fan_in(self.shapes))
        macs = torch.from_numpy(footprint.channel_macs(self.shapes))
        widths = torch.tensor(self.widths)
        bits = fan_in[:, None] * widths
        return Costs(torch.stack([bits, macs[:, None] * (widths > 0), bits]))

    def limits(self, budgets: Budgets, cap_bits: float) -> Tensor:
        """Return what each phone leaves for a plan, int64 [D, 3].

        Args:
            budgets: What the phones grant.
            cap_bits: The method's own cap on bits per weight.
        """
        memory = 8 * np.clip(budgets.memory_bytes - self.fixed_bytes, -_NO_LIMIT // 8, _NO_LIMIT // 8)
        speed = np.minimum(budgets.latency_s * budgets.macs_per_s, _NO_LIMIT)
        latency = np.floor(speed).astype(np.int64) - self.fixed_macs
        bits = np.floor(np.minimum(budgets.bits, cap_bits) * self.shapes.weights).astype(np.int64)
        return torch.from_numpy(np.stack([memory, latency, bits], 1))

    def enough(self, limits: Tensor) -> Tensor:
        """Return limits [D, 3] cut where no plan could use more, so that phones for which the same plan is best have the same."""
        return torch.minimum(limits, 2 * self._costs.values[:, :, 3].sum(1) + 1)

    @cached_property
    def _channels(self) -> tuple[Ints, Ints]:
        return footprint.channel_fan_in(self.shapes), footprint.channel_macs(self.shapes)

    def cost_of(self, codes: Tensor, sums: Sums | None = None) -> PlanCost:
        """Return the cost of plans, codes uint8 [D, C]; ``sums`` adds up channels in place of `channel_sums`."""
        fan_in, macs = self._channels
        weight_bits, plan_macs, bit_macs = (sums or channel_sums)(codes, self.widths, fan_in, macs)
        bitops = bit_macs * self.activation_bits
        fixed_macs = self.fixed_macs
        packed = footprint.packed_bytes(weight_bits)
        model = packed + self.extra_bytes + footprint.embedding_bytes(self.shapes)
        return PlanCost(
            weight_bits, model, packed + self.fixed_bytes, plan_macs + fixed_macs, bitops + fixed_macs * footprint.FLOAT_BITS**2
        )


def channel_sums(codes: Tensor, widths: tuple[int, int, int, int], fan_in: Ints, macs: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the stored bits, the operations, and the operations times their bits of plans, int64 [D] each; exact below 2^53.

    Args:
        codes: [D, C].
        widths: Bits that codes stand for.
        fan_in: Weights of each channel, [C].
        macs: Operations of each channel, [C].
    """
    bits = torch.tensor(widths, dtype=torch.float64)[codes.long()]
    inputs, operations = torch.from_numpy(fan_in).double(), torch.from_numpy(macs).double()
    return (bits @ inputs).long().numpy(), ((bits > 0).double() @ operations).long().numpy(), (bits @ operations).long().numpy()


def refusals(peak_memory_bytes: Ints, macs: Ints, budgets: Budgets) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return which budget a model would break on each phone, codes into `BINDINGS`, 0 where it fits, [D]."""
    slow = macs > budgets.latency_s * budgets.macs_per_s
    return np.where(peak_memory_bytes > budgets.memory_bytes, MEMORY + 1, np.where(slow, LATENCY + 1, 0)).astype(np.uint8)
