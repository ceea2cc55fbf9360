"""How much of each channel's weight matters to each user, element by element: the innermost level of CHORD's importance."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def weighed(left: Tensor, right: Tensor, shares: Tensor) -> Tensor:
    """Return the sum over k of sigmoid(left right^T)[c, k] shares[c, k], [D, C].

    Args:
        left: What users make of channels, [D, C, R].
        right: What they make of inputs, [D, K, R].
        shares: What each element is of its channel's weight, [C, K].
    """
    return torch.einsum("dck,ck->dc", torch.sigmoid(left @ right.transpose(1, 2)), shares)


#: `weighed`, or what gives the same up to the order of sums.
Weigh = Callable[[Tensor, Tensor, Tensor], Tensor]
