"""Tables for papers have one line per method; RecBole's names hold what RecBole computes for one target."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from chordsim import api
from chordsim.ledger.parquet import read_ledger
from chordsim.report.export import recbole, table


def test_recbole_metrics_equal_a_naive_count(played_run):
    ledger = read_ledger(played_run)
    found = recbole(played_run)
    for method, rows in ledger[ledger["rank"].notna()].groupby("method", observed=True):
        for cut in (5, 10):
            naive = {"hit": [], "mrr": [], "ndcg": [], "precision": []}
            for _, ranks in rows.groupby("user_id")["rank"]:
                top = [rank if rank < cut + 1 else None for rank in ranks]
                naive["hit"].append(np.mean([r is not None for r in top]))
                naive["precision"].append(np.mean([(r is not None) / cut for r in top]))
                naive["mrr"].append(np.mean([1 / r if r else 0 for r in top]))
                naive["ndcg"].append(np.mean([1 / math.log2(r + 1) if r else 0 for r in top]))
            for name, values in naive.items():
                assert found[method][f"{name}@{cut}"] == pytest.approx(np.mean(values))
            assert found[method][f"recall@{cut}"] == found[method][f"hit@{cut}"]


def test_recbole_tables_say_which_rule_ranked(tiny, played_run, tmp_path):
    """Unmasked ranks are RecBole's for sequential models: what a user had stands above, so no rank is better."""
    masked = {method: line.pop("rule") for method, line in json.loads(table(played_run, "recbole")).items()}
    assert len(set(masked.values())) == 1
    for words in ("history masked: RecBole would not", "protocol.mask_seen = false", "all items", "32-bit time stamps", "4 of 943"):
        assert words in masked["fp32"]
    runs = {
        mask: api.run("offline", overrides=tiny(f"protocol.mask_seen={mask}", methods=("fp32",)), out=tmp_path / mask)
        for mask in ("true", "false")
    }
    rule = json.loads(table(runs["false"].path, "recbole"))["fp32"]["rule"]
    assert rule.startswith("history not masked, as RecBole ranks") and "would not" not in rule
    ranks = {mask: run.ledger["rank"].dropna() for mask, run in runs.items()}
    hit = ranks["true"] <= 60
    assert hit.any() and (ranks["false"][hit] >= ranks["true"][hit]).all() and (ranks["false"][hit] > ranks["true"][hit]).any()
    sampled = tiny('protocol.ranking="sampled-100"', "data.synthetic.items=150", methods=("fp32",))
    negatives = api.run("offline", overrides=sampled, out=tmp_path / "n")
    assert "100 distinct negatives" in json.loads(table(negatives.path, "recbole"))["fp32"]["rule"]


def test_a_miss_in_a_catalogue_of_three_items_scores_nothing_in_ledger_and_export(tiny, tmp_path):
    """Everybody goes to and fro between two items; half of them end on the third, which alone is not masked."""
    path = tmp_path / "three.csv"
    logs = [[user % 2 + 1, 2 - user % 2] * 4 + [3 if user < 6 else 1] for user in range(12)]
    lines = [f"{user},{item},5,{at}" for user, log in enumerate(logs) for at, item in enumerate(log)]
    path.write_text("\n".join(["user,item,rating,timestamp", *lines]) + "\n")
    run = api.run("offline", overrides=tiny('data.source="file"', f'data.path="{path}"', methods=("fp32",)), out=tmp_path / "run")
    rows = run.ledger[run.ledger["rank"].notna()]
    missed = rows["rank"] == 4
    assert missed.any() and (~missed).any()
    assert (rows[missed][["hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr"]] == 0).all(axis=None)
    assert (rows[~missed]["hr_5"] == 1).all()
    assert (run.ledger[run.ledger["fallback_rank"] == 4]["ndcg_10_all"] == 0).all()
    hits = (~missed).astype(float).groupby(rows["user_id"]).mean().mean()
    found = recbole(run.path)["fp32"]
    assert found["hit@5"] == found["recall@10"] == pytest.approx(hits)


def test_tables_have_a_line_for_every_method(played_run):
    methods = {"fp32", "uniform-2", "chord", "chord-plus", "chord-shared", "cloud-only"}
    lines = [line for line in table(played_run, "markdown").splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert {line.split("|")[1].strip() for line in lines[2:]} == methods
    latex = table(played_run, "latex")
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(methods) and len({row.count(" & ") for row in rows}) == 1
    assert not any(sign in latex.replace(f"\\{sign}", "") for sign in "#$_")
    assert set(json.loads(table(played_run, "recbole"))) == methods
