"""Scores that order a list as the cloud and the phone do together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Ints
from chordsim.data.fusion import fused, places_of
from chordsim.methods import Scorer


@dataclass(frozen=True)
class Fused:
    """Scores of the cloud's list that order it as both orders do.

    Attributes:
        own: The phone's scores.
    """

    own: Scorer

    def of(self, items: Ints) -> npt.NDArray[np.float32]:
        """Return the scores of a list [D, n] that stands in the cloud's order: 0 for the first, -1 for the second and so on."""
        places, numbers = places_of(self.own.of(items), items)
        out = np.empty(items.shape, np.float32)
        np.put_along_axis(out, fused(items, places), -np.arange(items.shape[1], dtype=np.float32)[None].repeat(len(items), 0), 1)
        return np.where(numbers[:, None], out, np.float32(np.nan))
