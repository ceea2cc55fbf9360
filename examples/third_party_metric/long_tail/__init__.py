"""A metric of a package of its own: how much of a list lies in the less known half of the catalogue."""

import numpy as np

from chordsim.metrics import MetricSpec


def long_tail(ranked):
    """Return the share of each list that lies in the less known half, [D]; NaN for an empty list."""
    known = ranked.item_counts > np.median(ranked.item_counts[1:])
    listed = ranked.lists > 0
    share = (listed & ~known[ranked.lists]).sum(1) / np.maximum(listed.sum(1), 1)
    return np.where(listed.any(1), share, np.nan)


LONG_TAIL = MetricSpec("long-tail", "share of the list in the less known half", long_tail, needs="lists")
