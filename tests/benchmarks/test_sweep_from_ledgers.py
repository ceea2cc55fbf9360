"""The script that recomputes a sweep from its ledgers agrees with the house's statistics, and sees a number that was changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.sweep_from_ledgers import holm, main, quantile, two_tails
from chordsim.statistics.differences import paired_over_seeds
from chordsim.statistics.estimates import estimate_over_seeds

USERS, SEEDS = 60, (1, 2, 3)
GAINS = {"fp32": 0.0, "other": 0.05, "third": 0.01}


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """Return a sweep's folder with invented ledgers of two rounds, and a table made by chordsim's own statistics."""
    rng = np.random.default_rng(4)
    base, by_method, tidy = rng.random(USERS), {name: [] for name in GAINS}, []
    for seed in SEEDS:
        (tmp_path / "points" / str(seed) / "ledger").mkdir(parents=True)
        shift = 0.02 * rng.normal()
        for name, gain in GAINS.items():
            rounds = [base + gain + shift + 0.2 * rng.normal(size=USERS) for _ in range(2)]
            by_method[name].append(np.mean(rounds, axis=0))
            tidy.append({"seed": seed, "method": name, "run": f"points/{seed}"})
            for number, values in enumerate(rounds, 1):
                rows = pd.DataFrame({"method": name, "user_id": np.arange(USERS), "ndcg_10_all": values})
                rows.to_parquet(tmp_path / "points" / str(seed) / "ledger" / f"{name}.round-{number}.parquet")
    pairs = {name: [(a, b) for a, b in zip(by_method[name], by_method["fp32"], strict=True)] for name in GAINS if name != "fp32"}
    differences, rows = paired_over_seeds(pairs, 1), []
    for name, values in by_method.items():
        e, d = estimate_over_seeds(values, 1), differences.get(name)
        row = {"method": name, "ndcg_10_all": e.mean, "spread_over_seeds": e.spread, "ci95_low": e.ci95[0], "ci95_high": e.ci95[1]}
        row |= {"by_seed": " ".join(f"{v:.6g}" for v in e.by_seed), "baseline": "fp32"}
        row |= {} if d is None else {"difference": d.mean, "p": d.p, "p_holm": d.p_holm}
        row |= {} if d is None else {"difference_ci95_low": d.ci95[0], "difference_ci95_high": d.ci95[1]}
        rows.append(row)
    pd.DataFrame(rows).to_csv(tmp_path / "sweep_over_seeds.csv", index=False)
    pd.DataFrame(tidy).to_csv(tmp_path / "sweep.csv", index=False)
    return tmp_path


def test_the_table_agrees_and_a_changed_number_is_seen(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(swept)]) == 0 and "all 31 numbers agree" in capsys.readouterr().out
    table = pd.read_csv(swept / "sweep_over_seeds.csv")
    table.loc[1, "p_holm"] *= 1.01
    table.to_csv(swept / "sweep_over_seeds.csv", index=False)
    assert main([str(swept)]) == 1 and "1 of 31 numbers differ" in capsys.readouterr().out


def test_what_it_cannot_recompute_is_said(swept: Path) -> None:
    tidy = pd.read_csv(swept / "sweep.csv")
    tidy[tidy["seed"] < 3].to_csv(swept / "sweep.csv", index=False)
    with pytest.raises(SystemExit, match="three seeds or more"):
        main([str(swept)])


@pytest.mark.parametrize("freedom", [2, 4, 942])
def test_students_distribution_is_scipys(freedom: int) -> None:
    for level in (0.5, 0.05, 1e-3, 1e-6):
        assert quantile(level, freedom) == pytest.approx(stats.t.isf(level / 2, freedom), rel=1e-6)
    for t in (0.3, 3.9, 4.1, 12.0):
        assert two_tails(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-6)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
