"""What a phone with a shared plan may be told in a plan's place: as many int8 numbers as a plan has bytes, added to its inputs.

With z, what the cloud knows of a session (its user and its list, `chordsim.methods.chord.list_reader`), weights W and a matrix P that
comes with the bootstrap:

    numbers  n = tanh(W z), rounded to whole 127ths          one byte each, as many as a plan of this backbone has
    told     v = P n                                         [d], added to every input

The control of a plan that is made from user and list. The operators are inference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chordsim.nets import user_input

LEVELS = 127


class Told(nn.Module):
    """Writes the numbers, on the cloud; turns them into a vector, in training."""

    def __init__(self, dim: int, width: int, numbers: int, generator: torch.Generator) -> None:
        """Draw the weights.

        Args:
            dim: Of the backbone's inputs.
            width: Of what the cloud knows.
            numbers: How many are told.
            generator: Where weights come from.
        """
        super().__init__()
        self.writer = nn.Linear(width, numbers)
        nn.init.normal_(self.writer.weight, std=width**-0.5, generator=generator)
        nn.init.zeros_(self.writer.bias)
        self.matrix = nn.Parameter(user_input.start(dim, numbers, generator))

    def numbers(self, known: Tensor) -> Tensor:
        """Return numbers in -1 to 1, [B, n], of what is known, [B, width]."""
        return torch.tanh(self.writer(known))

    def forward(self, known: Tensor) -> Tensor:
        """Return what joins the inputs, [B, d], from numbers as the wire carries them; gradients pass straight through the rounding."""
        exact = self.numbers(known)
        return (torch.round(exact.detach() * LEVELS) / LEVELS + (exact - exact.detach())) @ self.matrix.T

    def macs(self) -> int:
        """Multiply-accumulates of one session's numbers."""
        return self.writer.weight.numel()
