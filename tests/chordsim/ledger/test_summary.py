"""The summary equals what pandas makes of the whole ledger, though it never holds it."""

import csv
import io
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from chordsim.errors import InvariantError
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.parquet import read_ledger
from chordsim.ledger.round_lines import ROUND_FIELDS
from chordsim.ledger.summary import Summary
from chordsim.store.directory import RunDirectory
from tests.chordsim.ledger.round_line import round_line

TIERS = ("low", "mid", "high")
USERS = 70


@pytest.fixture
def run(make_rows, tmp_path):
    """Return a summary, its rows, and the ledger as a frame."""
    made = [make_rows(90, seed=10 * r + i, method=m, round=r, users=USERS) for i, m in enumerate(("fp32", "chord")) for r in (1, 2, 3)]
    summary = Summary(USERS, TIERS, seed=1)
    with RunDirectory.create(tmp_path / "run", name="x", seed=1) as directory:
        for rows in made:
            summary.add(rows)
            directory.write_rows(rows)
    return summary, made, read_ledger(tmp_path / "run")


def by_user(frame, name):
    return frame.dropna(subset=name).groupby("user_id")[name].mean()


def test_users_whom_the_cloud_never_trained_on_are_told_apart(run):
    """Each group is the summary of its users alone: same means, and intervals that hold them."""
    whole, made, ledger = run
    known = np.arange(USERS) % 3 > 0
    summary, everybody = Summary(USERS, TIERS, seed=1, known=known), Summary(USERS, TIERS, seed=1, known=np.ones(USERS, bool))
    for rows in made:
        summary.add(rows)
        everybody.add(rows)
    assert everybody.methods() == whole.methods() and not {"known_to_cloud", "unknown_to_cloud"} & set(whole.methods()["fp32"])
    for method, found in summary.methods().items():
        assert {name: value for name, value in found.items() if not name.endswith("_to_cloud")} == whole.methods()[method]
        for group, who in (("known_to_cloud", known), ("unknown_to_cloud", ~known)):
            for name in ("ndcg_10", "ndcg_10_all", "hr_10"):
                of = by_user(ledger[ledger.method == method], name)
                of = of[who[of.index]]
                told = found[group][name]
                assert told["users"] == len(of) and told["mean"] == pytest.approx(of.mean()) and told["ci_method"] == "bootstrap-by-user"
                assert told["ci95"][0] < told["mean"] < told["ci95"][1]
                wide = np.array(told["ci95"]) - told["mean"]
                assert np.abs(wide).max() == pytest.approx(1.96 * of.std() / len(of) ** 0.5, rel=0.35)


def test_a_group_in_which_nobody_was_asked_has_no_mean(make_rows):
    summary = Summary(USERS + 1, TIERS, seed=1, known=np.arange(USERS + 1) < USERS)
    summary.add(make_rows(90, seed=1, users=USERS))
    (found,) = summary.methods().values()
    assert found["unknown_to_cloud"]["ndcg_10_all"] == {"mean": None, "ci95": None, "ci_method": "none", "users": 0}


def test_methods_equal_a_naive_summary(run, naive_sessions):
    summary, _, ledger = run
    found = summary.methods()
    assert list(found) == ["fp32", "chord"]
    served_users = [set(by_user(ledger[ledger["method"] == m], "ndcg_10").index) for m in found]
    for method, one in found.items():
        frame = ledger[ledger["method"] == method]
        served = frame[frame["outcome"] == "served"]
        for name in ("ndcg_10", "ndcg_10_all", "hr_10"):
            means = by_user(frame, name)
            assert one[name]["mean"] == pytest.approx(means.mean())
            assert one[name]["users"] == len(means)
            low, high = one[name]["ci95"]
            half = 1.96 * means.std() / np.sqrt(len(means))
            assert (low, high) == pytest.approx((means.mean() - half, means.mean() + half), abs=0.25 * half)
        common = by_user(frame, "ndcg_10").loc[sorted(served_users[0] & served_users[1])]
        assert one["ndcg_10_common"]["mean"] == pytest.approx(common.mean())
        assert one["served_share"] == pytest.approx(len(served) / 270)
        assert one["device_rounds"] == 270
        assert one["bits_mean"] == pytest.approx(frame["bits_mean"].mean())
        for way in ("down", "up", "report"):
            assert one[f"{way}_bytes_per_device"] == pytest.approx(frame[f"{way}_bytes"].mean())
        once, each, again = naive_sessions(frame)
        told = {n: once + int(n) * each + (int(n) - 1) * again for n in ("1", "10", "100")}
        assert one["bytes_after_sessions"] == pytest.approx(told)
        assert (one["bootstrap_bytes_once"], one["bootstrap_bytes_again"]) == pytest.approx((once, again))
        assert one["wasted_bytes"] == frame["wasted_bytes"].sum()
        finished = frame[frame["outcome"].isin(["served", "late"])]
        assert (one["p50_total_s"], one["p95_total_s"]) == pytest.approx(tuple(finished["total_s"].quantile([0.5, 0.95])), rel=1e-6)
        assert one["joules_per_device"] == pytest.approx((frame["compute_j"] + frame["radio_j"]).mean())
        for key, column in (("outcomes", "outcome"), ("served_by", "served_by"), ("binding", "binding")):
            assert {k: v for k, v in one[key].items() if v} == frame[column].value_counts().loc[lambda s: s > 0].to_dict()


def test_tiers_equal_a_naive_summary(run):
    summary, _, ledger = run
    for method, one in summary.methods().items():
        for tier, part in one["per_tier"].items():
            frame = ledger[(ledger["method"] == method) & (ledger["tier"] == tier)]
            finished = frame[frame["outcome"].isin(["served", "late"])]
            plain = {name: value for name, value in part.items() if name not in ("per_session", "energy")}
            assert plain == pytest.approx(
                {
                    "device_rounds": len(frame),
                    "served_share": (frame["outcome"] == "served").mean(),
                    "refused_share": (frame["outcome"] == "refused").mean(),
                    "ndcg_10": frame["ndcg_10"].mean(),
                    "ndcg_10_all": frame["ndcg_10_all"].mean(),
                    "bits_mean": frame["bits_mean"].mean(),
                    "p50_total_s": finished["total_s"].median(),
                    "joules_per_device": (frame["compute_j"] + frame["radio_j"]).mean(),
                },
                rel=1e-6,
            )
            assert part["per_session"] == pytest.approx(naive_session(frame)) and part["energy"] == pytest.approx(naive_energy(frame))
        assert list(one["per_tier"]) == list(TIERS)


def naive_session(frame):
    """Return what a served session costs, in pandas."""
    served = frame[frame["outcome"] == "served"]
    report = (served["report_bytes"] + 18 - served["cut_up_bytes"]).clip(lower=0).where(served["report_bytes"] > 0, 0)
    seconds = served["total_s"].quantile([0.5, 0.95, 0.99])
    return {
        "down_bytes": (served["down_bytes"] - served["bootstrap_bytes"]).mean(),
        "up_bytes": (served["up_bytes"] - report).mean(),
        **{f"seconds_p{round(100 * share)}": value for share, value in seconds.items()},
        "joules": (served["compute_j"] + served["radio_j"]).mean(),
    }


def naive_energy(frame):
    served = frame[frame["outcome"] == "served"]
    total = (served["compute_j"] + served["radio_j"]).sum()
    # The radio is on for its transfers and two seconds more.
    tail = (served["radio_j"] * 2 / (served["download_s"] + served["upload_s"] + 2)).sum()
    shares = {"compute_share": served["compute_j"].sum() / total, "transfer_share": (served["radio_j"].sum() - tail) / total}
    return {**shares, "tail_share": tail / total, "assumed_share": 1.0}


def test_sessions_equal_pandas_to_a_billionth(run):
    summary, _, ledger = run
    for method, one in summary.methods().items():
        frame = ledger[ledger["method"] == method]
        assert one["per_session"] == pytest.approx(naive_session(frame), rel=1e-9, abs=0)
        assert one["energy"] == pytest.approx(naive_energy(frame), rel=1e-9)
        assert one["wasted_bytes_per_device"] == pytest.approx(frame["wasted_bytes"].sum() / len(frame), rel=1e-12)
        report = (frame["report_bytes"] + 18 - frame["cut_up_bytes"]).clip(lower=0).where(frame["report_bytes"] > 0, 0)
        whole = {
            "sessions": (frame["outcome"] == "served").sum(),
            "down_gb": frame["down_bytes"].sum() / 1e9,
            "up_gb": (frame["up_bytes"] - report).sum() / 1e9,
            "wasted_gb": frame["wasted_bytes"].sum() / 1e9,
            "kwh": (frame["compute_j"] + frame["radio_j"]).sum() / 3.6e6,
            "assumed_share": 1.0,
        }
        assert one["fleet"] == pytest.approx(whole, rel=1e-9)
        assert one["first_contact"] == {"down_bytes": one["bootstrap_bytes_once"]}


def test_a_counted_report_is_part_of_a_sessions_bytes_and_a_phones_own_watts_are_not_assumed(run, make_rows):
    whole, made, ledger = run
    counted = Summary(USERS, TIERS, seed=1, counts_report=True, assumed=("tail",))
    for rows in made:
        counted.add(rows)
    for method, one in counted.methods().items():
        rows = [r for r in made if r.method == method]
        up = np.concatenate([r["up_bytes"][r.is_word("outcome", "served")] for r in rows])
        assert one["per_session"]["up_bytes"] == pytest.approx(up.mean())
        assert one["per_session"]["up_bytes"] > whole.methods()[method]["per_session"]["up_bytes"]
        assert one["energy"]["assumed_share"] == one["energy"]["tail_share"] < 1
        frame = ledger[ledger["method"] == method]
        tail = (frame["radio_j"] * 2 / (frame["download_s"] + frame["upload_s"] + 2)).sum()
        assert one["fleet"]["assumed_share"] == pytest.approx(tail / (frame["compute_j"] + frame["radio_j"]).sum())


def test_the_gap_between_tiers_is_that_of_their_users(run):
    summary, _, ledger = run
    for method, one in summary.methods().items():
        frame = ledger[ledger["method"] == method].assign(served_share=lambda f: (f["outcome"] == "served").astype(float))
        for name, gap in one["tier_gap"].items():
            means = frame.groupby(["tier", "user_id"], observed=True)[name].mean().groupby("tier", observed=True).agg(["mean", "count"])
            assert gap["gap"] == pytest.approx(means["mean"].max() - means["mean"].min())
            assert (gap["best"], gap["worst"]) == (means["mean"].idxmax(), means["mean"].idxmin())
            assert gap["users"] == means["count"].to_dict() and gap["ci95"][0] < gap["gap"] < gap["ci95"][1]


@pytest.mark.parametrize("learns", [False, True])
def test_a_new_version_is_what_it_brought_or_all_of_the_bootstrap_until_one_came(make_rows, learns):
    """Served phones of three rounds: one of them gets a new version in the second round."""
    count = 4
    base = {
        "outcome": np.zeros(count, int),
        "refused_by": np.zeros(count, int),
        "served_by": np.zeros(count, int),
        "rank": np.full(count, 1.0),
    }
    base |= {name: np.full(count, 1.0) for name in ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "ndcg_10_all")}
    base |= {name: np.zeros(count, int) for name in ("cut_down_bytes", "cut_up_bytes")} | {"update_bytes": np.full(count, int(learns))}
    summary = Summary(count, TIERS, seed=1)
    devices = {"device_id": np.arange(count), "user_id": np.arange(count)}
    first = {"bootstrap_bytes": np.full(count, 900), "down_bytes": np.full(count, 950)}
    summary.add(make_rows(count, round=1, **base, **devices, **first))
    (one,) = summary.methods().values()
    assert one["first_contact"] == {"down_bytes": 900} and one["per_version"] == {"down_bytes": None if learns else 900}
    anew = {"bootstrap_bytes": np.array([300, 0, 0, 0]), "down_bytes": np.array([350, 50, 50, 50])}
    summary.add(make_rows(count, round=2, **base, **devices, **anew))
    (one,) = summary.methods().values()
    assert one["first_contact"] == {"down_bytes": 900} and one["per_version"] == {"down_bytes": 300}
    assert one["per_session"]["down_bytes"] == 50


def test_a_run_without_metrics_has_none(make_rows):
    nothing = np.full(20, np.nan)
    names = ("rank", "fallback_rank", "hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "ndcg_10_all")
    tracemalloc.start()
    summary = Summary(10_000_000, TIERS, seed=1)
    summary.add(make_rows(20, **dict.fromkeys(names, nothing)))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 5_000_000, "sums by user are kept only once a metric came"
    one = summary.methods()["chord-plus"]
    assert one["ndcg_10"] == one["ndcg_10_all"] == {"mean": None, "ci95": None, "ci_method": "none", "users": 0}
    assert all(part["ndcg_10"] is None for part in one["per_tier"].values())


def test_nobody_served(make_rows):
    columns = {"outcome": np.full(5, 2), "refused_by": np.zeros(5, int), "served_by": np.full(5, 2)}
    summary = Summary(5, TIERS, seed=1)
    summary.add(make_rows(5, **columns))
    one = summary.methods()["chord-plus"]
    assert (one["served_share"], one["p50_total_s"]) == (0, None)
    assert one["bytes_after_sessions"] == {"1": None, "10": None, "100": None}


def test_it_is_json_and_the_same_each_time(run, make_rows):
    summary, made, _ = run
    text = json.dumps(summary.methods(), allow_nan=False)
    again = Summary(USERS, TIERS, seed=1)
    for rows in made:
        again.add(rows)
    assert json.dumps(again.methods(), allow_nan=False) == text


def test_users_and_tiers_that_were_not_announced_are_refused(make_rows):
    with pytest.raises(InvariantError, match="user_id is not within 0 to 9"):
        Summary(10, TIERS, seed=1).add(make_rows(30))
    with pytest.raises(InvariantError, match="tier 'high' is not one of low, mid"):
        Summary(30, ("low", "mid"), seed=1).add(make_rows(30))


def test_round_lines_equal_a_naive_summary(run):
    _, made, ledger = run
    for rows in made:
        line = round_line(rows)
        frame = ledger[(ledger["method"] == rows.method) & (ledger["round"] == rows.round)]
        assert tuple(line) == ROUND_FIELDS
        assert line["selected"] == len(frame) == sum(line[o] for o in OUTCOMES)
        assert all(line[o] == (frame["outcome"] == o).sum() for o in OUTCOMES)
        for name in ("ndcg_10", "ndcg_10_all"):
            assert line[name] == pytest.approx(frame[name].mean())
        for name in ("down_bytes", "up_bytes", "wasted_bytes"):
            assert line[name] == frame[name].sum()
        assert line["round_s"] == pytest.approx(frame["total_s"].max())
        assert round_line(rows, 12.5)["round_s"] == 12.5
        out = io.StringIO()
        csv.DictWriter(out, ROUND_FIELDS).writerow(line)
        assert len(pd.read_csv(io.StringIO(out.getvalue()), header=None).columns) == len(ROUND_FIELDS)


def test_a_round_of_nobody(make_rows):
    line = round_line(make_rows(0))
    assert (line["selected"], line["ndcg_10"], line["p50_total_s"], line["round_s"]) == (0, None, None, 0.0)
