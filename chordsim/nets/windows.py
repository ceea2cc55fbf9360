"""Training windows: what a recommender sees of a user, and which targets its loss uses."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """A batch of B windows.

    Attributes:
        inputs: Item ids [B, L], 0 pads on the left.
        targets: The item after each input [B, L]; 0 where the loss does not look.
        history: Items strictly before the first target [B, L], or more of them (`Recommender.reach`), 0 pads on the left: all that a
            prescription may be made from,
        listed: beside what the cloud lists for that history [B, N], best first, 0 pads; None where nobody reads it.
    """

    inputs: Tensor
    targets: Tensor
    history: Tensor
    listed: Tensor | None = None
