"""What users did before the item that is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass

from chordsim.arrays import Ints


@dataclass(frozen=True)
class History:
    """What each user did before the target, most recent last: item ids, 0 pads on the left.

    Attributes:
        items: Shape [D, L], int64; L is the backbone's window and what a method asks for beyond it.
        lengths: How many of the L positions are real, shape [D].
    """

    items: Ints
    lengths: Ints
