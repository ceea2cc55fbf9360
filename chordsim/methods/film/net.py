"""Modulating the last state: int8 numbers that scale it, shift it and mix in recent items, and the network that makes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.methods import MethodContext
from chordsim.nets.draws import draw_parameters
from chordsim.nets.embeddings import look_up
from chordsim.nets.recommender import Reading
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows

RECENT, LEVELS = 8, 127


def modulate(states: Tensor, recent: Tensor, numbers: Tensor) -> Tensor:
    """Return modulated states.

    Args:
        states: [D, d] or [D, L, d].
        recent: Mean of the recent item embeddings, [D, d].
        numbers: In -1 to 1, [D, 3 d]: scale, shift, mix.
    """
    if states.ndim == 3:
        recent, numbers = recent.unsqueeze(1), numbers.unsqueeze(1)
    scale, shift, mix = numbers.chunk(3, -1)
    return states * (1 + scale) + shift + mix * recent


def recent_mean(items: Tensor, item_table: Tensor) -> Tensor:
    """Return the normalised mean embedding [D, d] of the last items of [D, L]; 0 is padding."""
    last = items[:, -RECENT:]
    mean = look_up(item_table, last).sum(1) / (last > 0).sum(1, keepdim=True).clamp_min(1)
    return F.layer_norm(mean, mean.shape[1:])


def rounded(numbers: Tensor) -> Tensor:
    """Return numbers in -1 to 1 as int8 levels over 127."""
    return torch.round(numbers * LEVELS) / LEVELS


class Film(Reading):
    """A trained backbone whose last state a user's numbers modulate."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed, context.settings)
        dim, width = shapes.backbone.dim, int(context.settings["profile_dim"])
        self.writer = nn.Sequential()
        self.writer.add_module("inner", nn.Linear(width, 2 * width))
        self.writer.add_module("relu", nn.ReLU())
        self.writer.add_module("head", nn.Linear(2 * width, 3 * dim))
        draw_parameters(self.writer, self.generator)

    def numbers(self, user: Tensor) -> Tensor:
        """Return numbers [B, 3 d] as the wire carries them; gradients pass straight through the rounding."""
        exact = torch.tanh(self.writer(user))
        return rounded(exact.detach()) + (exact - exact.detach())

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; numbers and recent items come from `windows.history` alone."""
        states = super().states(windows, dropout, generator)
        recent = recent_mean(windows.history, self.item)
        return modulate(states, recent, self.numbers(self.extractor(windows.history, self.item)))

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's numbers; items are [B, reach]."""
        shipped, window = self.item_as_shipped(), items[:, -self.shapes.backbone.max_len :]
        return modulate(super().last_states(window), recent_mean(items, shipped), self.numbers(self.extractor(items, shipped)))
