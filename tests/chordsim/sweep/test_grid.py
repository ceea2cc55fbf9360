"""A grid has every combination once, checked before anything runs."""

from __future__ import annotations

import pytest

from chordsim.errors import ScenarioError
from chordsim.sweep.points import axis, points


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rounds.count=1,2", ("1", "2")),
        ('methods=["fp32","chord"],["fp32"]', ('["fp32","chord"]', '["fp32"]')),
        ('name="a,b",c', ('"a,b"', "c")),
        ("a.b= 1 , 2 ", ("1", "2")),
    ],
)
def test_values_are_cut_at_commas_that_stand_alone(text, values):
    assert axis(text).values == values


@pytest.mark.parametrize("text", ["rounds.count", "rounds.count=", "=1,2", "rounds.count=1,,2", "rounds.count=1,1"])
def test_a_malformed_axis_is_one_line(text):
    with pytest.raises(ScenarioError, match="--over"):
        axis(text)


@pytest.mark.parametrize("over", ["protocol.ranking=all,candidates", "protocol.mask_seen=true,false"])
def test_ranks_of_different_protocols_do_not_share_a_table(over):
    with pytest.raises(ScenarioError, match="different rules .* one sweep for each"):
        points("offline", [axis("rounds.count=1,2"), axis(over)], [], None, 1)
    assert len(points("offline", [axis("rounds.count=1,2")], ["protocol.ranking=candidates"], None, 1)) == 2


def test_every_combination_and_seed_is_there_once():
    grid = points("offline", [axis("rounds.count=1,2"), axis("clock.loss=0.0,0.1,0.2")], ["training.max_steps=3"], 5, 2)
    assert len(grid) == 12 and len({point.name for point in grid}) == 12
    assert {(p.scenario.rounds.count, p.scenario.clock.loss, p.seed) for p in grid} == {
        (count, loss, seed) for count in (1, 2) for loss in (0.0, 0.1, 0.2) for seed in (5, 6)
    }
    assert all(point.scenario.seed == point.seed and point.scenario.training.max_steps == 3 for point in grid)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (["rounds.count=1,0"], "rounds.count"),
        (["rounds.cuont=1,2"], "rounds.cuont"),
        (["rounds.count=1", "rounds.count=2"], "stands twice"),
        (["seed=1,2"], "--seeds"),
        (["clock.loss=" + ",".join(f"0.{n:05}" for n in range(1, 10_002))], "at most"),
    ],
)
def test_a_grid_that_cannot_run_is_refused_before_it_starts(over, words):
    with pytest.raises(ScenarioError, match=words):
        points("offline", [axis(text) for text in over], [], None, 1)
