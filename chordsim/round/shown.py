"""What phones show that were not served: by a prescription that they held when the round began."""

from __future__ import annotations

from dataclasses import dataclass

from chordsim.arrays import Floats, Ints


@dataclass(frozen=True)
class Shown:
    """What unserved phones showed from before, [M] each; rank is NaN where they had nothing to show.

    Attributes:
        rank: Rank of this round's target under the old prescription.
        age: Rounds since the prescription was made.
        bits: Stored bits per weight.
        spent: Operations and memory by name in `chordsim.methods.SPENT`.
    """

    rank: Floats
    age: Floats
    bits: Floats
    spent: dict[str, Ints]
