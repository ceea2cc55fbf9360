"""A forecast of any number of rounds plays a bounded number of them, and still holds what a long run measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.forecast import predict
from chordsim.forecast.fleets import segment_quantiles
from chordsim.forecast.predict import beside, forecast
from chordsim.forecast.turns import MOST, turns
from chordsim.round import sizes
from chordsim.scenario.load import load
from chordsim.sized import sized_world
from tests.chordsim.forecast.test_predict import measured

BASE = ['methods=["fp32","chord-plus"]', "data.synthetic.users=250", "data.synthetic.items=80", "data.synthetic.mean_length=200"]


@settings(max_examples=40)
@given(st.integers(1, 100_000), st.integers(0, 2000), st.floats(1e-6, 1), st.booleans())
def test_few_rounds_stand_for_all(count: int, every: int, share: float, learns: bool) -> None:
    scenario = load("offline", [f"rounds.count={count}", f"rounds.new_model_every={every}", "population.selected=0"])
    made = turns(scenario, share, learns=learns)
    assert len(made) == len({turn.round for turn in made}) <= 2 * MOST and max(turn.round for turn in made) <= count
    assert sum(turn.weight for turn in made) == pytest.approx(count)
    assert all(0 < turn.first <= turn.weight + 1e-9 for turn in made)
    if count <= MOST and not every:
        assert [(turn.round, turn.weight, turn.first) for turn in made] == [(round, 1.0, 1.0) for round in range(1, count + 1)]


def test_the_start_of_a_run_does_not_depend_on_its_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []
    real = sizes.play

    def count(player: Any, world: Any, round: int, ids: Any) -> Any:
        played[-1] += len(ids)
        return real(player, world, round, ids)

    monkeypatch.setattr(predict.sizes, "play", count)
    monkeypatch.setattr(predict, "PHONES", (40, 40))
    for rounds in (MOST, 20 * MOST):
        played.append(0)
        forecast(sized_world(load("offline", [*BASE, 'methods=["fp32"]', "population.devices=250", f"rounds.count={rounds}"])))
    assert played[0] == played[1] > 0


def test_weighted_quantiles_are_those_of_repeated_values() -> None:
    draw = np.random.default_rng(3)
    values, segment, weights = draw.random(500), draw.integers(0, 4, 500), draw.integers(1, 9, 500)
    found = segment_quantiles(values, segment, 5, (0.1, 0.5, 0.99), weights.astype(float))
    again = [np.repeat(values[segment == n], weights[segment == n]) for n in range(4)]
    for share, row in zip((0.1, 0.5, 0.99), found, strict=True):
        assert row[:4] == pytest.approx([np.quantile(one, share, method="inverted_cdf") for one in again]) and np.isnan(row[4])


@pytest.mark.slow
@pytest.mark.parametrize(
    "weather",
    [
        ["clock.loss=0.1"],
        ["clock.loss=0.05", 'population.availability.kind="diurnal"', "population.devices=4000", "population.selected=100"],
        ["rounds.new_model_every=45", "clock.round_every_h=1", 'population.availability.kind="diurnal"'],
    ],
)
def test_ranges_hold_a_run_of_120_rounds(weather: list[str]) -> None:
    inside = seen = 0
    for seed in (1, 2, 3):
        world = sized_world(load("offline", [*BASE, "rounds.count=120", *weather], seed))
        for of in beside(forecast(world), {"methods": measured(world)}).values():
            for quantities in of.values():
                found = [line["inside"] for line in quantities.values() if "measured" in line]
                inside, seen = inside + sum(found), seen + len(found)
    assert seen > 150 and inside >= 0.9 * seen, (inside, seen)
