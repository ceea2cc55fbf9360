"""What phones show that were not served: by a prescription that they held when the round began."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Floats, Ints


@dataclass(frozen=True)
class Shown:
    """What unserved phones showed from before, [M] each; rank is NaN where they had nothing to show.

    Attributes:
        rank: Rank of this round's target under the old prescription.
        age: Rounds since the prescription was made.
        bits: Stored bits per weight.
        spent: Operations and memory by name in `chordsim.methods.SPENT`.
        lists: Items that were ranked first, int32 [M, k]; None where the ledger keeps none.
    """

    rank: Floats
    age: Floats
    bits: Floats
    spent: dict[str, Ints]
    lists: npt.NDArray[np.int32] | None = None
