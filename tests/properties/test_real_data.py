"""On ML-100K the trained models beat what needs no training: paired by user, with intervals printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chordsim import api, evaluate
from chordsim.api import RunResult
from chordsim.scenario.load import parse
from chordsim.seeds import generator
from chordsim.world import World, build
from tests.chordsim.data.rules import Transitions, markov_scores

pytestmark = pytest.mark.slow
ROUNDS = 3
#: Phones that nothing binds, so that all 943 users are compared on the same footing.
ROOMY = (
    "population.tiers={any={share=1.0,ram_gb=8.0,gmacs_per_s=5.0,down_mbps=20.0,up_mbps=5.0,round_trip_ms=50.0,"
    "nj_per_mac=0.5,radio_w=1.0,memory_mb=100.0}}"
)


@pytest.fixture(scope="module")
def run(real_data: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        patch.setenv("CHORDSIM_DATA", str(real_data))
        every_item = ["backbone.items=owned", "protocol.ranking=all"]
        overrides = ['methods=["fp32","chord-plus"]', ROOMY, *every_item, "training.max_steps=1000", f"rounds.count={ROUNDS}"]
        return api.run("quickstart", overrides=overrides, out=tmp_path_factory.mktemp("real") / "run")


@pytest.fixture(scope="module")
def world(run: RunResult, real_data: Path) -> World:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_DATA", str(real_data))
        return build(parse((run.path / "scenario.toml").read_text()))


def by_user(run: RunResult, method: str, column: str) -> np.ndarray:
    """Mean over rounds of each user's column, by user id."""
    rows = run.ledger[run.ledger.method == method]
    assert (rows.outcome == "served").all() and len(rows) == ROUNDS * 943
    return rows.groupby("user_id")[column].mean().sort_index().to_numpy()


def popularity(run: RunResult, world: World) -> np.ndarray:
    rows = run.ledger[run.ledger.method == "fp32"]
    ndcg = evaluate.metrics(rows.fallback_rank.to_numpy(), world.n_items)["ndcg_10"]
    return rows.assign(ndcg=ndcg).groupby("user_id").ndcg.mean().sort_index().to_numpy()


def markov(world: World) -> np.ndarray:
    users, table, total = np.arange(943), Transitions.of(world.logs), np.zeros(943)
    for round in range(1, ROUNDS + 1):
        scores = markov_scores(world.logs, world.split.history(users, round, 1).items[:, 0], table).astype(np.float32)
        targets, seen = world.split.targets(users, round), world.split.seen(users, round)
        ranks = evaluate.rank_scores(scores, targets, seen, world.scenario.protocol, (1, users, round))
        total += evaluate.metrics(ranks, world.n_items)["ndcg_10"]
    return total / ROUNDS


def interval(difference: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval over users."""
    draws = generator(1, "test.bootstrap").integers(0, difference.size, (2000, difference.size))
    means = difference[draws].mean(1)
    return float(difference.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def test_fp32_beats_popularity_clearly_and_stands_beside_markov(run: RunResult, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    full, popular, chain = by_user(run, "fp32", "ndcg_10"), popularity(run, world), markov(world)
    over_popular, over_chain = interval(full - popular), interval(full - chain)
    with capsys.disabled():
        print(f"\nNDCG@10, 943 users: fp32 {full.mean():.4f}, markov {chain.mean():.4f}, popularity {popular.mean():.4f}")
        print("fp32 - popularity {:.4f} [{:.4f}, {:.4f}]".format(*over_popular))
        print("fp32 - markov     {:.4f} [{:.4f}, {:.4f}]".format(*over_chain))
    assert over_popular[1] > 0.02


def test_plans_of_two_bits_beat_popularity_clearly(run: RunResult, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    plans, popular = by_user(run, "chord-plus", "ndcg_10"), popularity(run, world)
    assert by_user(run, "chord-plus", "bits_mean").max() <= 2.0
    over = interval(plans - popular)
    with capsys.disabled():
        print(f"\nNDCG@10 of chord-plus at 2 bits or less: {plans.mean():.4f}")
        print("chord-plus - popularity {:.4f} [{:.4f}, {:.4f}]".format(*over))
    assert over[1] > 0.01


def test_plans_for_ml_100k_are_192_bytes_and_differ_between_users(run: RunResult) -> None:
    rows = run.ledger[run.ledger.method == "chord-plus"]
    assert (rows.prescription_bytes == 192).all()
    assert rows.bits_mean.nunique() > 20
