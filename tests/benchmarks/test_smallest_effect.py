"""The bar of the personal plans' experiments: the gain that their design can show."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.personal_plans.experiments import SMALLEST, SMALLEST_100K, SMALLEST_GROWTH, SMALLEST_MODELS  # noqa: E402
from benchmarks.personal_plans.smallest import SPREAD_MODELS, smallest_effect  # noqa: E402
from benchmarks.suites.sheets import read_lines  # noqa: E402
from chordsim.statistics.crossed import over_seeds  # noqa: E402


def test_the_committed_bar_is_what_the_design_can_show() -> None:
    for users, smallest in ((None, SMALLEST), (943, SMALLEST_100K)):
        for seeds, committed in smallest.items():
            assert smallest_effect(seeds, 10, users=users) == pytest.approx(committed, abs=5e-5)
    models = smallest_effect(5, 10, read_lines(SPREAD_MODELS))
    assert models == pytest.approx(SMALLEST_MODELS, abs=5e-5) and models < SMALLEST[5]
    assert smallest_effect(5, 10, gains=2) == pytest.approx(SMALLEST_GROWTH, abs=5e-4)


def test_four_of_five_repetitions_show_the_smallest_effect() -> None:
    random, users, seeds = np.random.default_rng(1), 300, 5
    of_user, of_seed, level = 0.004, 0.0009, 0.15
    # As a table of before would tell it: an interval over users of a mean of three items, and two seeds apart by their spread.
    half, apart = 1.959964 * of_user / users**0.5, of_seed * 2**0.5
    told = {"users": str(users), "other_mean": str(level), "low": "0", "high": str(2 * half), "by_seed": f"1:0 2:{apart}"}
    effect = smallest_effect(seeds, 3, [told]) * level
    shown = 0
    for _ in range(400):
        persons = random.normal(0, of_user, users)
        found = over_seeds([effect + persons + random.normal(0, of_seed) for _ in range(seeds)]).ci95
        shown += found is not None and found[0] > 0
    assert 0.74 < shown / 400 < 0.86
