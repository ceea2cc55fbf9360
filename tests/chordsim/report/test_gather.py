"""What the page shows equals what pandas and the summary say of the same ledger."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.parquet import read_ledger
from chordsim.report.charts import traffic
from chordsim.report.gather import gather


@pytest.fixture(scope="module")
def gathered(played_run):
    return gather(played_run)


@pytest.fixture(scope="module")
def ledger(played_run):
    return read_ledger(played_run)


def test_means_and_intervals_are_those_of_the_summary(gathered, played_run):
    summary = json.loads((played_run / "summary.json").read_text())["methods"]
    assert list(gathered.methods) == list(summary)
    for method, told in summary.items():
        for metric in ("ndcg_10_all", "ndcg_10", "hr_10"):
            found = gathered.estimates[method][metric].as_json()
            assert found["mean"] == pytest.approx(told[metric]["mean"])
            assert found["users"] == told[metric]["users"]
        for sessions, value in told["bytes_after_sessions"].items():
            assert gathered.methods[method].after(int(sessions)) == pytest.approx(value)
        assert gathered.methods[method].bits_mean == pytest.approx(told["bits_mean"]) if told["bits_mean"] else True
        facts = gathered.methods[method]
        assert facts.costs.per_session() == told["per_session"] and facts.costs.fleet() == told["fleet"]
        assert facts.costs.energy(gathered.assumed) == told["energy"]
        assert (
            facts.sessions.first_contact == told["first_contact"]["down_bytes"] and facts.per_version == told["per_version"]["down_bytes"]
        )
        assert facts.tier_gap.as_json(gathered.tiers) == told["tier_gap"]


def test_outcomes_bytes_and_tiers_are_those_of_the_ledger(gathered, ledger):
    for method, rows in ledger.groupby("method", observed=True):
        facts = gathered.methods[method]
        for place, tier in enumerate(gathered.tiers):
            counts = rows[rows["tier"] == tier]["outcome"].value_counts()
            assert facts.outcomes[place].tolist() == [int(counts.get(word, 0)) for word in OUTCOMES]
            joules = (rows["compute_j"] + rows["radio_j"])[(rows["tier"] == tier) & (rows["outcome"] == "served")].mean()
            assert facts.tier.means("joules")[place] == pytest.approx(joules, nan_ok=True)
        for name in ("down_bytes", "up_bytes", "wasted_bytes", "bootstrap_bytes"):
            assert facts.bytes[name] == rows[name].sum()
        for entry in facts.rounds:
            own = rows[rows["round"] == entry.round]
            done = own[own["outcome"].isin(["served", "late"])]["total_s"]
            assert entry.seconds == pytest.approx(tuple(done.quantile([0.5, 0.95, 1.0])))
            assert entry.ndcg_10_all == pytest.approx(own["ndcg_10_all"].mean())


def test_users_served_by_all_are_the_common_ones(gathered, ledger):
    means = ledger.groupby(["method", "user_id"], observed=True)["ndcg_10"].mean().unstack("method").dropna()
    assert set(gathered.common) == set(gathered.methods)
    for method, value in gathered.common.items():
        assert value == pytest.approx(means[method].mean())


def test_activity_groups_hold_every_user_once_and_ascend(gathered, played_run):
    devices = pd.read_parquet(played_run / "devices.parquet")
    activity = gathered.activity
    assert activity is not None and sum(activity.sizes) == devices["user_id"].nunique()
    longest = [int(devices["history_items"][activity.of(devices["user_id"].to_numpy()) == n].max()) for n in range(activity.count)]
    shortest = [int(devices["history_items"][activity.of(devices["user_id"].to_numpy()) == n].min()) for n in range(activity.count)]
    assert all(a < b for a, b in zip(longest[:-1], shortest[1:], strict=True))


def test_break_even_agrees_with_counting_session_by_session(gathered):
    against = gathered.methods[traffic.reference(gathered)]
    for facts in gathered.methods.values():
        words = traffic.break_even(facts, against)
        cheaper = [n for n in range(1, 5000) if facts.after(n) < against.after(n)]
        if words == "never cheaper":
            assert not cheaper
        elif words.startswith("cheaper up to session"):
            last = int(words.split()[-1].replace(",", ""))
            assert all(n <= last for n in cheaper)
            assert set(range(1, min(last, 5000))) <= set(cheaper)
        elif words.startswith("cheaper from session"):
            first = int(words.split()[3].replace(",", ""))
            assert all(n >= first for n in cheaper)
            assert set(range(first + 1, 5000)) <= set(cheaper)
        else:
            assert words == "always cheaper" and (facts is against or len(cheaper) == 4999)


def test_plans_differ_between_users_where_they_should(played_run):
    from chordsim.report.kept_plans import read_plans

    plans = read_plans(played_run)
    assert set(plans) == {"chord", "chord-plus", "chord-shared"}
    for name, p in plans.items():
        assert p.edges[-1][1] == p.codes.shape[1] == sum(channels for _, channels, _ in p.layers)
        assert {fan_in for _, _, fan_in in p.layers} == ({4} if name == "chord-shared" else {16})
        pairs = [(a, b) for i, a in enumerate(p.codes) for b in p.codes[i + 1 :]]
        naive = np.mean([a != b for a, b in pairs], axis=0)
        assert p.disagreement() == pytest.approx(naive)


def test_the_timeline_ends_when_the_clock_says_so(gathered, played_run):
    from chordsim.report.charts import times

    rounds = pd.read_csv(played_run / "rounds.csv")
    (chart,) = [chart for chart in times.charts(gathered) if chart.key == "round_timeline"]
    ends = {row[0]: row[-1] for row in chart.rows}
    for method, lines in rounds.groupby("method"):
        assert ends[method] == pytest.approx(lines["round_s"].sum(), rel=1e-5)


def test_the_forecast_stands_beside_what_was_measured(gathered, played_run):
    from chordsim.report.charts import predicted

    summary = json.loads((played_run / "summary.json").read_text())
    (chart,) = predicted.charts(gathered)
    for method, tier, quantity, low, middle, high, measured, inside in chart.rows:
        assert low <= middle <= high and inside == (low <= measured <= high)
        if tier == "all":
            found = summary["methods"][method]
            per, _, name = quantity.rpartition("per_session_")
            assert measured == pytest.approx(found["per_session"][name] if per or quantity != name else found[quantity], rel=1e-5)
