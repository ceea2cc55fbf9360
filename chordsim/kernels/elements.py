"""Elements' importance behind the switch: what `chordsim.nets.elements` gives, and its gradients, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.kernels.lanes import LANES
from chordsim.nets import elements

#: The rank that loops are written for.
_RANK = 4


def weighed(left: Tensor, right: Tensor, shares: Tensor) -> Tensor:
    """Return what `chordsim.nets.elements.weighed` does, up to the order of sums.

    A user's numbers and gradients depend on that user alone. Other types than float32, other ranks than 4, channels that are no whole
    vectors, and shares that are learnt go to the reference.

    Args:
        left: What users make of channels, [D, C, R].
        right: What they make of inputs, [D, K, R].
        shares: What each element is of its channel's weight, [C, K].

    Returns:
        [D, C].
    """
    if left.dtype != torch.float32 or left.shape[1] % LANES or left.shape[2] != _RANK or shares.requires_grad:
        return elements.weighed(left, right, shares)
    out: Tensor = _Weighed.apply(left, right, shares)  # type: ignore[no-untyped-call]
    return out


class _Weighed(torch.autograd.Function):
    """The compiled loops of `chordsim.kernels.native.sigmoids`."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, shares: Tensor) -> Tensor:
        """Return the weighed sums, [D, C]."""
        from chordsim.kernels.native.sigmoids import weigh_all

        by_input, columns, share = left.detach().transpose(1, 2).contiguous(), right.detach().contiguous(), shares.T.contiguous()
        ctx.save_for_backward(by_input, columns, share)
        out = torch.empty(left.shape[:2])
        weigh_all(by_input.numpy(), columns.numpy(), share.numpy(), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Return the gradients of both factors."""
        from chordsim.kernels.native.sigmoids import weigh_gradients

        left, right, shares = ctx.saved_tensors
        of_left, of_right, asked = torch.empty_like(left), torch.empty_like(right), upstream[0].contiguous()
        slopes = np.empty(left.shape[2], np.float32)
        weigh_gradients(left.numpy(), right.numpy(), shares.numpy(), asked.numpy(), slopes, of_left.numpy(), of_right.numpy())
        return of_left.transpose(1, 2), of_right, None
