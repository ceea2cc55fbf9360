"""Parity says of every phone whether its rank is the ledger's, and takes a score that is no number for neither."""

from __future__ import annotations

import numpy as np

from chordsim.runtime.in_words import parity_lines
from chordsim.runtime.parity import Parity


def found(rank, difference):
    count = len(rank)
    ledger = np.full(count, 5.0)
    return Parity(np.arange(count), np.array(difference), np.array(rank), ledger, np.full(count, 2), np.ones(count, np.int64), {"all": 1.0})


def test_a_rank_is_the_ledgers_or_near_it_or_another():
    told = found([5.0, 6.5, 8.0], [0.0, 1e-6, 1e-6])
    assert told.equal.tolist() == [True, False, False] and told.unexplained.tolist() == [False, False, True]


def test_scores_that_are_no_numbers_are_never_parity():
    """The target's own, which has no rank then; and others', which no comparison puts above it."""
    told = found([np.nan, 5.0, 5.0], [np.nan, np.nan, 0.0])
    assert told.equal.tolist() == [False, False, True] and told.unexplained.tolist() == [True, True, False]
    assert "rank as in the ledger 1, other only among scores within 0.0001 0, other 2" in parity_lines(told)[0]
