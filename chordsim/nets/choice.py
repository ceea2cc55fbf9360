"""A layer whose every channel comes in several precisions, one chosen per phone: the product that costs least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Dropout = Callable[[Tensor], Tensor]
#: Queries, keys, values, item ids and the number of heads to what queries mix (`chordsim.nets.sasrec.attend`).
Attend = Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]
#: Up to so many positions, one shared product with all precisions costs less than building each phone's weights.
FEW = 5


@dataclass(frozen=True)
class Choice:
    """Weights of D phones as rows of a table and codes.

    Where a layer meets few positions, building each phone's weights costs more than one shared product with all
    precisions, of which each phone keeps the outputs that its plan names; elsewhere they are built, one layer at a
    time, in memory that stays in the processor's cache. The result is the same up to the order of sums. Where groups of
    a channel's inputs have codes of their own, each group is a row, and weights are always built.

    Attributes:
        rows: Every channel, or group, at every code, [4, C, K].
        codes: Chosen code per phone and row, [D, C], int64.
        room: Where weights are built, float32 [at least D * C * K]; several layers may share it, one at a time.
    """

    rows: Tensor
    codes: Tensor
    room: Tensor | None = None

    def product(self, x: Tensor) -> Tensor:
        """Return x [D, n, K] times each phone's own weights, [D, n, C]."""
        kinds, channels, fan_in = self.rows.shape
        if x.shape[1] > FEW or fan_in != x.shape[2]:
            return torch.bmm(x, whole(build(self.rows, self.codes, self.room), x.shape[2]).transpose(1, 2))
        every = x.reshape(-1, fan_in) @ self.rows.reshape(kinds * channels, fan_in).T
        every = every.view(x.shape[0], x.shape[1], kinds, channels)
        return every.gather(2, self.codes[:, None, None, :].expand(-1, x.shape[1], 1, -1)).squeeze(2)


def build(rows: Tensor, codes: Tensor, room: Tensor | None = None) -> Tensor:
    """Build one layer's weights [D, C, K] from rows [4, C, K] and codes [D, C], int64, in ``room`` if given."""
    kinds, channels, fan_in = rows.shape
    index = (codes * channels + torch.arange(channels, device=codes.device)).reshape(-1)
    out = None if room is None else room[: index.numel() * fan_in].view(-1, fan_in)
    return torch.index_select(rows.reshape(kinds * channels, fan_in), 0, index, out=out).view(-1, channels, fan_in)


Weight = Tensor | Choice


@dataclass(frozen=True)
class Fed:
    """Weights whose inputs are rounded before they are multiplied.

    Attributes:
        weight: The weights.
        bits: Of the inputs.
    """

    weight: Weight
    bits: int


def fed(weights: Sequence[Weight], bits: int) -> list[Weight | Fed]:
    """Return weights by layer whose inputs are rounded to ``bits`` bits; 32 leaves them alone."""
    return list(weights) if bits == 32 else [Fed(weight, bits) for weight in weights]


def rounded_inputs(x: Tensor, bits: int) -> Tensor:
    """Return activations [..., K] as 2^bits levels of each position, of which one is zero; gradients pass as if they were not rounded.

    Scale and zero follow from the position's own smallest and largest number (dynamic, asymmetric, one pair for each vector, as
    ZeroQuant has them, Yao et al. 2022), so nothing is calibrated and no position learns of another.
    """
    values = x.detach()
    low, high = values.amin(-1, keepdim=True).clamp_max(0.0), values.amax(-1, keepdim=True).clamp_min(0.0)
    scale = ((high - low) / (2**bits - 1)).clamp_min(1e-30)
    zero = torch.round(-low / scale)
    levels = torch.clamp(torch.round(values / scale) + zero, 0, 2**bits - 1)
    # In this order the value is exactly what a phone multiplies with.
    stored: Tensor = (levels - zero) * scale
    return stored + (x - values)


def whole(weight: Tensor, fan_in: int) -> Tensor:
    """Return weights as [..., C, K], whose rows may be groups of a channel's K = ``fan_in`` inputs, neighbours in order."""
    return weight if weight.shape[-1] == fan_in else weight.reshape(*weight.shape[:-2], -1, fan_in)


def linear(x: Tensor, weight: Weight | Fed) -> Tensor:
    """Return x [D, n, K] times weights [C, K], [D, C, K] or a `Choice`, whole channels or their groups: [D, n, C]."""
    if isinstance(weight, Fed):
        return linear(rounded_inputs(x, weight.bits), weight.weight)
    if isinstance(weight, Choice):
        return weight.product(x)
    return torch.matmul(x, whole(weight, x.shape[-1]).transpose(-1, -2))
