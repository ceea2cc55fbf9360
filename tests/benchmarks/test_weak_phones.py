"""What `benchmarks.weak_phones` says of tiers: means of their own users, and intervals that hold what they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.weak_phones import differences, gaps_of, lines, of_tier

TIERS = ("low", "high")


def ledger(seed: int, users: int = 60) -> pd.DataFrame:
    """Rows of two rounds; `chord` loses 0.05 in the low tier, half as much noise as users differ by, and nothing in the high one."""
    draws = np.random.default_rng(seed)
    tier = np.where(np.arange(users) % 3 > 0, "low", "high")
    base = draws.uniform(0.1, 0.3, users)
    lost = np.where(tier == "low", 0.05, 0.0) + draws.normal(0, 0.02, users)
    parts = []
    for at in (1, 2):
        for method, values in (("fp32", base), ("chord", base - lost)):
            made = {"method": method, "round": at, "tier": tier, "user_id": np.arange(users), "bits_mean": 3.0, "ndcg_10_all": values}
            parts.append(pd.DataFrame(made))
    return pd.concat(parts)


def test_a_tiers_numbers_have_its_mean_and_the_error_of_its_mean() -> None:
    gaps = np.random.default_rng(1).normal(0, 1, 3000)
    mine = (np.arange(3000) % 5 == 0).astype(np.float64)
    found = of_tier(gaps, mine)
    own = gaps[mine > 0]
    assert found.mean() == pytest.approx(own.mean())
    assert stats.sem(found) == pytest.approx(stats.sem(own), rel=0.01)


def test_the_gap_of_each_tier_and_how_much_it_widens() -> None:
    ledgers = {seed: ledger(seed) for seed in (1, 2, 3)}
    found = differences(ledgers, "chord", TIERS)
    for tier in TIERS:
        by_hand = np.mean([gaps_of(rows, "chord")[0][gaps_of(rows, "chord")[1][tier] > 0].mean() for rows in ledgers.values()])
        assert found[tier].mean == pytest.approx(by_hand)
    assert found[""].mean == pytest.approx(found["low"].mean - found["high"].mean)
    low, high = found[""].ci95
    assert low < -0.05 < high < 0 and found["high"].ci95[0] < 0 < found["high"].ci95[1]
    assert found["low"].users == 60


def test_the_table_has_a_line_for_every_tier_and_one_for_what_widens() -> None:
    told = lines({1: ledger(1), 2: ledger(2)}, TIERS, ["chord"])
    assert [line.split("|")[2].strip() for line in told[2:]] == ["low", "high", "low minus high"]
    assert told[2].split("|")[3].strip() == "40" and told[-1].endswith("| - |"), "two seeds are too few for an interval"
