"""What a plan is made from beside the user: the list of the session, pooled by attention, and how far it is spread.

With a user embedding e, the rows x of the listed items each normalised over its dimensions, and weights Q, M, H:

    pooled   p = sum_i softmax_i(x_i . Q e / sqrt(d)) x_i
    spread   s = standard deviation of x_i over the list, by dimension
    joined   z = layernorm(e + H relu(M layernorm([e ; p ; s])))

z takes the place of e before the hypernetwork. The operators are inference.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.nets.embeddings import look_up

_SMALLEST = 1e-6


class ListReader(nn.Module):
    """Joins a user embedding with the list that the cloud made."""

    def __init__(self, dim: int, width: int, generator: torch.Generator) -> None:
        """Draw the weights.

        Args:
            dim: Numbers of an item's row.
            width: Of the user embedding, and of what comes out.
            generator: Where weights come from.
        """
        super().__init__()
        self.query = nn.Linear(width, dim, bias=False)
        self.inner = nn.Linear(width + 2 * dim, 2 * width)
        self.head = nn.Linear(2 * width, width)
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=0.02 if name == "head.weight" else parameter.shape[1] ** -0.5, generator=generator)

    def forward(self, user: Tensor, listed: Tensor, item_table: Tensor) -> Tensor:
        """Return joined embeddings [D, width].

        Args:
            user: User embeddings [D, width].
            listed: Item ids [D, N], 0 pads.
            item_table: Item embeddings [n_items + 1, d].
        """
        dim = item_table.shape[1]
        real = (listed > 0).unsqueeze(2)
        rows = F.layer_norm(look_up(item_table, listed), (dim,)) * real
        near = (rows @ self.query(user).unsqueeze(2)) / dim**0.5
        # The smallest number in place of minus infinity: a list of nothing but padding pools zeros, and no NaN.
        weight = near.masked_fill(~real, torch.finfo(near.dtype).min).softmax(1)
        pooled = (weight * rows).sum(1)
        count = real.sum(1).clamp_min(1)
        mean = rows.sum(1, keepdim=True) / count.unsqueeze(2)
        spread = ((((rows - mean) ** 2) * real).sum(1) / count + _SMALLEST).sqrt()
        told = torch.cat([user, pooled, spread], 1)
        joined = user + self.head(F.relu(self.inner(F.layer_norm(told, told.shape[-1:]))))
        return F.layer_norm(joined, joined.shape[-1:])

    def macs(self, listed: int) -> int:
        """Multiply-accumulates of one plan over a list of so many items."""
        dim = self.query.weight.shape[0]
        return sum(layer.weight.numel() for layer in (self.query, self.inner, self.head)) + 3 * listed * dim
