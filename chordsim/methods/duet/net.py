"""DUET's dynamic head, two layers of 32-bit weights, and the hypernetwork that writes them for one user."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.methods import MethodContext
from chordsim.nets.draws import draw_parameters
from chordsim.nets.extractor import Gru
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows


def head_sizes(dim: int) -> tuple[int, int, int, int]:
    """Return how many numbers each part takes: first weight and bias, second weight and bias."""
    return dim * dim, dim, dim * dim, dim


def head_numbers(dim: int) -> int:
    """Return how many numbers one head takes."""
    return sum(head_sizes(dim))


def apply(states: Tensor, head: Tensor) -> Tensor:
    """Return ``states`` plus what the head makes of them.

    Args:
        states: [D, d] or [D, L, d].
        head: [D, head_numbers(d)], one head per user.
    """
    dim = states.shape[-1]
    first, first_bias, second, second_bias = torch.split(head, list(head_sizes(dim)), 1)
    x = states.reshape(states.shape[0], -1, dim)
    hidden = torch.tanh(x @ first.view(-1, dim, dim).transpose(1, 2) + first_bias[:, None])
    out = hidden @ second.view(-1, dim, dim).transpose(1, 2) + second_bias[:, None]
    return states + out.view(states.shape)


class Duet(Dense):
    """A trained backbone, and a head that a hypernetwork generates from the clicks before the targets."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        dim = shapes.backbone.dim
        self.horizon, self.clicks = int(context.settings["horizon"]), int(context.settings["clicks"])
        #: Steps of the reader. Where more clicks are asked for than a window holds, a session brings padding, of which training knows none.
        self.steps = min(self.clicks, shapes.backbone.max_len)
        self.reader, self.trunk = Gru(dim, dim), nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, dim))
        self.writer = nn.ModuleDict({"head": nn.Linear(dim, head_numbers(dim))})
        for part in (self.reader, self.trunk, self.writer):
            draw_parameters(part, self.generator)

    def head(self, clicks: Tensor, table: Tensor) -> Tensor:
        """Return each user's head [B, numbers] from item ids [B, n], padded with 0 on the left, and item rows [n_items + 1, d]."""
        z = self.trunk(self.reader(clicks[:, -self.steps :], table))
        dim = self.shapes.backbone.dim
        numbers: Tensor = self.writer["head"](F.layer_norm(z, (dim,)))
        scaled: Tensor = numbers * dim**-0.5
        return scaled

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; heads come from `windows.history` alone."""
        return apply(super().states(windows, dropout, generator), self.head(windows.history, self.item))

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's own head."""
        return apply(super().last_states(items), self.head(items, self.item_as_shipped()))

    def head_macs(self) -> int:
        """Multiply-accumulates of one head."""
        dense = sum(p.numel() for part in (self.trunk, self.writer) for p in part.parameters() if p.ndim == 2)
        return dense + self.reader.macs()
