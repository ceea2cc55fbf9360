"""Calibration by popularity: numbers by hand, scipy as the reference for the divergence, and no list without a number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from chordsim.metrics.functions import calibration
from chordsim.metrics.spec import Ranked

#: Item 1 makes half of all interactions, items 2 and 3 a fifth each, items 4 and 5 a twentieth each.
COUNTS = np.array([0, 50, 20, 20, 5, 5])


def of(*lists: list[int], counts: np.ndarray = COUNTS) -> list[float]:
    made = np.array(lists)
    return calibration(Ranked(np.ones(len(lists)), made, np.arange(len(lists)), counts, made.shape[1])).tolist()


def test_a_list_in_the_logs_own_shares_is_at_zero_and_others_are_as_far_as_scipy_says() -> None:
    # Well known: item 1 (half of the log). Less known: 2 and 3. Little known: 4 and 5, which begin after nine tenths.
    log = np.array([0.5, 0.4, 0.1])
    found = of([1, 1, 1, 1, 1, 2, 2, 3, 3, 4], [4, 5, 4, 5, 4, 5, 4, 5, 4, 5], [1, 2, 0, 0, 0, 0, 0, 0, 0, 0])
    wanted = [jensenshannon(shares, log, base=2) ** 2 for shares in ([0.5, 0.4, 0.1], [0, 0, 1], [0.5, 0.5, 0])]
    assert found == pytest.approx(wanted, abs=1e-12) and found[0] == pytest.approx(0, abs=1e-12) and max(found) <= 1


def test_an_empty_list_and_a_log_without_interactions_have_no_number() -> None:
    assert np.isnan(of([0, 0])[0]) and np.isnan(of([1, 2], counts=np.zeros(6, np.int64))[0])
