"""The interval over users and seeds holds the truth about as often as it says, and one over users alone does not."""

from __future__ import annotations

import pytest

from benchmarks.interval_coverage import DEVIATIONS, LEAST, MOST, SEEDS, WORLDS, coverage, users_alone

#: Of so few repetitions a share strays by this much.
REPETITIONS, STRAY = 400, 0.012
PLAIN, *OTHERS = (WORLDS[place] for place in (1, 3, 5, 7))


@pytest.mark.parametrize("count", SEEDS)
def test_the_interval_over_users_and_seeds_covers(count):
    for deviation in DEVIATIONS:
        (share,) = coverage(PLAIN, count, deviation, REPETITIONS)
        assert LEAST - STRAY <= share <= MOST + STRAY, f"{deviation} standard errors"


@pytest.mark.parametrize("world", OTHERS, ids=lambda world: world.name)
def test_it_covers_in_the_other_worlds(world):
    (share,) = coverage(world, 3, 1.0, REPETITIONS)
    assert LEAST - STRAY <= share <= MOST + STRAY


def test_an_interval_over_users_alone_is_found_out():
    (share,) = coverage(PLAIN, 3, 2.0, REPETITIONS, formulas=[users_alone])
    assert share < LEAST - 5 * STRAY
