"""The forecast's range holds what runs measure, before anything is trained, and an impossible deadline is told at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import chordsim
from chordsim.errors import ScenarioError
from chordsim.forecast.predict import QUANTITIES, beside, forecast
from chordsim.ledger.summary import Summary
from chordsim.round import sizes
from chordsim.scenario.load import load
from chordsim.sized import SizedWorld, sized_world

BASE = ['methods=["fp32","chord-plus","cloud-only"]', "data.synthetic.users=250", "data.synthetic.items=80", "rounds.count=2"]


def measured(world: SizedWorld) -> dict[str, Any]:
    """Return the summary of the run itself, under its own seed."""
    summary = Summary(world.n_users, list(world.scenario.population.tiers), 1)
    for player in sizes.players(world, sizes.bootstraps(world)):
        for round in range(1, world.scenario.rounds.count + 1):
            for played in sizes.play(player, world, round, world.population.select(round)):
                summary.add(played.rows)
    return summary.methods()


@pytest.mark.parametrize(
    "weather",
    [
        ["clock.loss=0.15", 'population.era="2010s"'],
        [
            "clock.loss=0.05",
            'population.availability.kind="diurnal"',
            "clock.deadline_s=0.6",
            "population.devices=4000",
            "population.selected=300",
        ],
    ],
)
def test_ranges_hold_at_least_18_of_20_runs(weather: list[str]) -> None:
    inside: Counter[tuple[str, str, str]] = Counter()
    seen: Counter[tuple[str, str, str]] = Counter()
    for seed in range(1, 21):
        world = sized_world(load("offline", [*BASE, *weather], seed))
        for method, tiers in beside(forecast(world), {"methods": measured(world)}).items():
            for tier, quantities in tiers.items():
                for name, line in quantities.items():
                    if "measured" in line:
                        inside[method, tier, name] += line["inside"]
                        seen[method, tier, name] += 1
    assert len(seen) > 40 and set(seen.values()) == {20}
    bytes_and_times = [key for key in seen if key[2] in ("down_bytes_per_device", "up_bytes_per_device", "p50_total_s")]
    assert {key: inside[key] for key in bytes_and_times if inside[key] < 18} == {}
    assert sum(inside.values()) >= 0.95 * sum(seen.values())


def test_ranges_hold_real_runs_of_methods_with_plans(tmp_path: Path) -> None:
    tiny = ["training.max_steps=4", "training.eval_every=4", "clock.loss=0.15", "engine.chunk_size=64"]
    for seed in (1, 2):
        run = chordsim.run("offline", seed=seed, overrides=[*BASE, *tiny], out=tmp_path / str(seed))
        assert run.manifest["forecast"].keys() == run.summary["forecast"].keys()
        for method, tiers in run.summary["forecast"].items():
            for name in ("down_bytes_per_device", "up_bytes_per_device", "p50_total_s"):
                assert tiers["all"][name]["inside"], (seed, method, name, tiers["all"][name])


def test_a_larger_run_has_a_narrower_range() -> None:
    def width(devices: int) -> float:
        world = sized_world(load("offline", [*BASE, "clock.loss=0.1", f"population.devices={devices}"]))
        found = forecast(world)["fp32"]["all"]["down_bytes_per_device"]
        return (found.high - found.low) / found.middle

    assert width(100_000) < 0.5 * width(200)


def test_every_quantity_has_a_range_in_order() -> None:
    for tiers in forecast(sized_world(load("offline", BASE))).values():
        assert set(tiers["all"]) == set(QUANTITIES)
        for quantities in tiers.values():
            assert all(0 <= r.low <= r.middle <= r.high for r in quantities.values())


def test_a_deadline_shorter_than_the_fastest_phone_is_told_before_training(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"clock\.deadline_s = 1e-06 is shorter than the fastest phone's round"):
        chordsim.run("offline", overrides=[*BASE, "clock.deadline_s=1e-6"], out=tmp_path / "run")
