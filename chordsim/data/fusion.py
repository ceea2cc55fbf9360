"""Two orders of one list made one, by the sum of their reciprocal ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Ints

#: Constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009).
FUSION = 60


def places_of(scores: npt.NDArray[np.floating[Any]], listed: Ints) -> tuple[Ints, Bools]:
    """Return the place of each listed item by a phone's scores, and which phones' scores are numbers.

    Args:
        scores: Of the listed items, [D, n].
        listed: Item ids [D, n], 0 pads.

    Returns:
        Places from 0, [D, n]: of equal scores the one that is listed first stands first, padding stands last. And whose scores of
        listed items are all numbers, [D]: the other phones have nothing to show, as everywhere.
    """
    worth = np.where(listed > 0, scores, -np.inf)
    order = np.argsort(-worth, axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable"), np.asarray(~np.isnan(worth).any(1))


def fused(candidates: Ints, places: Ints) -> Ints:
    """Return the order of candidates, in the cloud's order, by the sum of reciprocal ranks of cloud and phone; padding stands last.

    Args:
        candidates: Item ids [D, n] in the cloud's order, 0 pads.
        places: The place, from 0, that the phone gives each, [D, n].

    Returns:
        Which candidate stands where, [D, n]; of equals, the one that the cloud likes more stands first.
    """
    cloud = np.arange(candidates.shape[1])[None]
    worth = 1.0 / (FUSION + cloud) + 1.0 / (FUSION + places)
    return np.argsort(-np.where(candidates > 0, worth, -1.0), axis=1, kind="stable")
