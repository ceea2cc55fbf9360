"""A learnt codebook of plans: what phones hold of it, and what chooses one for a user. Ours (inference).

A plan k of K has utilities u[k, c, b] = base[c, b] + layer[l, b] + own[k, c, b]; a user with embedding e gets the plan of the largest
of the K logits Q e. In training the choice is hard, and gradients reach logits through their softmax (straight-through), as codes'
do; a term of the loss keeps all plans in use, since one that nobody gets learns nothing. Phones hold all utilities; the cloud answers
with a number of one or two bytes, and each phone buys that plan by its own budgets.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.nets.shapes import Shapes

#: Of `Codebook.unevenness` in the loss.
BALANCE = 0.1
#: Spread of what plans differ by at their start, that of users' residuals at theirs.
START_STD = 0.15


class Codebook(nn.Module):
    """K plans, and the logits by which users choose one."""

    def __init__(self, shapes: Shapes, width: int, plans: int) -> None:
        super().__init__()
        base = torch.zeros(shapes.channels, 4)
        base[:, 1] = 1.0
        self.base = nn.Parameter(base)
        self.layer = nn.Parameter(torch.zeros(len(shapes.layers), 4))
        self.own = nn.Parameter(torch.zeros(plans, shapes.channels, 4))
        self.choice = nn.Linear(width, plans, bias=False)
        self._of_layer = torch.cat([torch.full((n.channels,), i) for i, n in enumerate(shapes.layers)])

    def forward(self, user: Tensor) -> Tensor:
        """Return utilities [D, C, 4] of user embeddings [D, width], each those of one plan."""
        chances = F.softmax(self.choice(user), 1)
        chosen = chances.argmax(1)
        if not torch.is_grad_enabled():
            return self.worth()[chosen]
        hard = F.one_hot(chosen, chances.shape[1]).to(chances.dtype) + (chances - chances.detach())
        return torch.mm(hard, self.worth().flatten(1)).view(len(user), -1, 4)

    def unevenness(self, user: Tensor) -> Tensor:
        """Return K times the sum over plans of their share of users and their mean chance (Fedus et al. 2022): 1 where all serve alike."""
        chances = F.softmax(self.choice(user), 1)
        plans = chances.shape[1]
        share = torch.bincount(chances.argmax(1), minlength=plans) / len(user)
        return plans * (share * chances.mean(0)).sum()

    def worth(self) -> Tensor:
        """Return what every code of every channel is worth under each plan, [K, C, 4]."""
        return self.base + self.layer[self._of_layer] + self.own

    def macs(self) -> int:
        """Multiply-accumulates of one choice."""
        return self.choice.weight.numel()
