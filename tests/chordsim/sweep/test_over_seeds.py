"""A sweep's methods over seeds: means, spreads, intervals and differences are those of the ledgers, recomputed apart from it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from chordsim.sweep import curves
from chordsim.sweep.over_seeds import means, save
from chordsim.sweep.points import axis, points
from chordsim.sweep.tidy import mixed
from chordsim.sweep.words import bars, ending

USERS, KEYS = 80, ["rounds.requests_per_round"]


@pytest.fixture
def swept(made_run, tmp_path):
    """Return a maker of sweeps: a grid of given seeds and values with invented accuracies, its folder, and its values by run."""

    def make(seeds, values=("1",), own_users=False):
        rng = np.random.default_rng(2)
        base, made = rng.random((USERS, 1)), {}
        grid = points("offline", [axis(f"{KEYS[0]}={','.join(values)}")], [], 1, seeds)
        for place, point in enumerate(grid):
            shift = 0.05 * rng.normal()
            mine = {name: [base[:, 0] + shift + gain + 0.1 * rng.normal(size=USERS)] for name, gain in (("fp32", 0), ("other", 0.2))}
            made_run(tmp_path / "points" / point.name, mine, digest=str(place) * 16 if own_users else "d" * 16)
            told = {"bits_mean": 2.0, "served_share": 1.0, "bytes_after_sessions": {"10": 5.0, "100": 50.0}}
            (tmp_path / "points" / point.name / "summary.json").write_text(json.dumps({"methods": dict.fromkeys(mine, told)}))
            made[point.values[0], point.seed] = {name: rounds[0] for name, rounds in mine.items()}
        return grid, tmp_path, made

    return make


def test_three_seeds_have_an_interval_over_users_and_seeds(swept):
    grid, folder, made = swept(3)
    found = {m.method: m for m in means(folder, grid)}
    table = np.stack([made["1", seed]["other"] for seed in (1, 2, 3)])
    m = found["other"]
    assert (m.seeds, m.estimate.users, m.estimate.ci_method) == ((1, 2, 3), USERS, "t-by-user-and-seed")
    assert m.estimate.mean == pytest.approx(table.mean()) and m.estimate.by_seed == pytest.approx(tuple(table.mean(1)))
    assert m.estimate.spread == pytest.approx(table.mean(1).std(ddof=1))
    users_alone = 1.96 * table.mean(0).std(ddof=1) / np.sqrt(USERS)
    seeds_alone = stats.t.ppf(0.975, 2) * table.mean(1).std(ddof=1) / np.sqrt(3)
    half = (m.estimate.ci95[1] - m.estimate.ci95[0]) / 2
    assert max(users_alone, 0.9 * seeds_alone) < half < 1.02 * np.hypot(users_alone, seeds_alone)
    apart = table - np.stack([made["1", seed]["fp32"] for seed in (1, 2, 3)])
    assert m.difference.mean == pytest.approx(apart.mean()) and m.difference.by_seed == pytest.approx(tuple(apart.mean(1)))
    assert m.difference.significant and (m.base, found["fp32"].difference) == ("fp32", None)


def test_two_seeds_are_shown_without_an_interval(swept):
    grid, folder, _ = swept(2)
    found = means(folder, grid)
    assert all(m.estimate.ci95 is None and len(m.estimate.by_seed) == 2 for m in found)
    other = next(m for m in found if m.method == "other")
    assert (other.difference.ci95, other.difference.p_holm) == (None, None) and not other.difference.significant
    assert "Two seeds are too few for an interval" in bars(found)
    table = ending(found, KEYS)
    assert table.rows[1][table.heads.index("p\n(Holm)") + 2] == "-" and "by seed" in table.heads
    text = curves.write(folder, grid, KEYS, found).read_text()
    assert "Two seeds are too few" in text and " ".join(f"{value:.4f}" for value in other.estimate.by_seed) in text


def test_one_seed_keeps_the_interval_over_its_users(swept):
    grid, folder, _ = swept(1)
    found = means(folder, grid)
    assert {m.estimate.ci_method for m in found} == {"bootstrap-by-user"}
    assert "say nothing of other seeds" in bars(found)


def test_seeds_with_users_of_their_own_are_never_paired_by_id(swept):
    grid, folder, made = swept(3, own_users=True)
    other = next(m for m in means(folder, grid) if m.method == "other")
    by_seed = [made["1", seed]["other"].mean() for seed in (1, 2, 3)]
    assert other.estimate.ci95 == pytest.approx(stats.t.interval(0.95, 2, np.mean(by_seed), stats.sem(by_seed)))
    apart = [(made["1", seed]["other"] - made["1", seed]["fp32"]).mean() for seed in (1, 2, 3)]
    assert other.difference.ci95 == pytest.approx(stats.t.interval(0.95, 2, np.mean(apart), stats.sem(apart)))
    assert other.estimate.users == 3 * USERS


def test_all_differences_of_a_sweep_are_one_family_and_stand_in_its_table(swept):
    grid, folder, _ = swept(3, values=("1", "5"))
    found = means(folder, grid)
    ps = sorted(m.difference.p for m in found if m.difference)
    assert len(ps) == 2
    assert sorted(m.difference.p_holm for m in found if m.difference) == pytest.approx([min(1, 2 * ps[0]), max(2 * ps[0], ps[1])])
    save(folder, found, KEYS)
    table = pd.read_csv(folder / "sweep_over_seeds.csv")
    assert list(table[KEYS[0]]) == [1, 1, 5, 5] and list(table["method"]) == ["fp32", "other"] * 2
    assert list(table["ndcg_10_all"]) == pytest.approx([m.estimate.mean for m in found])
    assert list(table["difference"].dropna()) == pytest.approx([m.difference.mean for m in found if m.difference])
    assert set(table["baseline"]) == {"fp32"} and set(table["seeds"]) == {"1 2 3"}
    shown = ending(found, KEYS)
    assert shown.names == ("method", "requests_per_round") and [row[:2] for row in shown.rows][:2] == [("fp32", "1"), ("other", "1")]
    row = dict(zip([*shown.names, *shown.heads], shown.rows[1], strict=True))
    d = found[1].difference
    assert row["difference"] == f"{d.mean:+.4f}" and row["p\n(Holm)"] == f"{d.p_holm:.3g}" and row["seeds"] == "3"
    assert shown.bold == {n for n, m in enumerate(found) if m.difference and m.difference.significant}


def test_points_of_several_numerics_are_told():
    one, two = "float32, AVX512", "float32, AVX2"
    assert mixed(pd.DataFrame({"numerics": [one, one, None]})) == ""
    assert f"computed on 2 numerics, which part last bits and what follows: {one}; {two}." in mixed(pd.DataFrame({"numerics": [one, two]}))
