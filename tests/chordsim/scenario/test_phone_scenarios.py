"""The shipped scenarios about phones ask a question, load, and show what they promise to show."""

from __future__ import annotations

from pathlib import Path

import pytest

import chordsim
from chordsim.scenario.load import load, parse
from chordsim.scenario.text import dump

NAMES = (
    "weak-links",
    "cheap-phones",
    "one-day-around-the-world",
    "tight-deadline",
    "growing-budgets",
    "budgets",
    "new-model",
    "ten-million-phones",
    "knock-out-ram",
    "knock-out-compute",
    "knock-out-link",
    "knock-out-availability",
)
SIZES = 'protocol.metrics="none"'


@pytest.mark.parametrize("name", NAMES)
def test_each_asks_a_question_and_comes_back_from_its_text(name: str) -> None:
    scenario = load(name)
    assert scenario.question.endswith("?") and len(scenario.question) > 40
    assert parse(dump(scenario)) == scenario


def test_the_lowest_tier_refuses_fp32_and_runs_a_plan(tmp_path: Path) -> None:
    short = ["training.max_steps=10", "training.eval_every=10", "rounds.count=1"]
    run = chordsim.run("cheap-phones", overrides=[*short, 'methods=["fp32","chord-plus"]'], out=tmp_path / "run")
    full, plan = (run.summary["methods"][name] for name in ("fp32", "chord-plus"))
    assert full["per_tier"]["low"]["served_share"] < 0.3 < 0.85 < plan["per_tier"]["low"]["served_share"]
    assert full["binding"]["memory"] > 50 and plan["binding"]["bits"] > 50
    assert full["per_tier"]["low"]["ndcg_10_all"] != plan["per_tier"]["low"]["ndcg_10_all"]
    refused = run.ledger[run.ledger.outcome == "refused"]
    assert (refused.refused_by == "cloud").all() and (refused.down_bytes + refused.up_bytes == 0).all()


def test_a_new_model_makes_a_storm_and_a_deadline_makes_waste(tmp_path: Path) -> None:
    storm = chordsim.run("new-model", overrides=[SIZES], out=tmp_path / "storm").rounds
    down = storm[storm.method == "fp32"].set_index("round").down_bytes
    assert down[4] > 5 * down[3] and down[1] > 5 * down[2]
    tight = chordsim.run("tight-deadline", overrides=[SIZES], out=tmp_path / "tight")
    assert tight.summary["methods"]["fp32"]["wasted_bytes"] > 0
    assert all(m["outcomes"]["late"] > 0 for m in tight.summary["methods"].values())


def test_a_knock_out_levels_one_side_alone(tmp_path: Path) -> None:
    def seconds(name: str) -> float:
        run = chordsim.run(name, overrides=[SIZES, "clock.loss=0", "clock.deadline_s=0", "clock.jitter=0"], out=tmp_path / name)
        rows = run.ledger[(run.ledger.method == "cloud-only") & (run.ledger.outcome == "served")]
        return float(rows.total_s.std())

    assert seconds("knock-out-link") < 0.05 * seconds("knock-out-ram")
    always = chordsim.run("knock-out-availability", overrides=[SIZES], out=tmp_path / "always").ledger
    assert not (always.outcome == "offline").any()
