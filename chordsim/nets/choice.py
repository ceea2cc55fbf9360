"""A layer whose every channel comes in several precisions, one chosen per phone: multiplied without being built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Dropout = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Choice:
    """Weights of D phones as rows of a table and codes.

    Where a layer is used at one position only, building each phone's weights costs more than one shared product with
    all precisions, of which each phone keeps the outputs that its plan names. The result is the same up to the
    order of sums.

    Attributes:
        rows: Every channel at every code, [4, C, K].
        codes: Chosen code per phone and channel, [D, C], int64.
    """

    rows: Tensor
    codes: Tensor

    def product(self, x: Tensor) -> Tensor:
        """Return x [D, n, K] times each phone's own weights, [D, n, C]."""
        kinds, channels, fan_in = self.rows.shape
        every = x.reshape(-1, fan_in) @ self.rows.reshape(kinds * channels, fan_in).T
        every = every.view(x.shape[0], x.shape[1], kinds, channels)
        return every.gather(2, self.codes[:, None, None, :].expand(-1, x.shape[1], 1, -1)).squeeze(2)


Weight = Tensor | Choice


def linear(x: Tensor, weight: Weight) -> Tensor:
    """Return x [D, n, K] times weights [C, K], [D, C, K] or a `Choice`: [D, n, C]."""
    if isinstance(weight, Choice):
        return weight.product(x)
    return torch.matmul(x, weight.transpose(-1, -2))
