"""The forecast's range holds what runs measure, before anything is trained, and an impossible deadline is told at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import chordsim
from chordsim import methods
from chordsim.errors import ScenarioError
from chordsim.forecast.predict import QUANTITIES, beside, check_deadline, forecast
from chordsim.forecast.printed import fleet_table, forecast_table
from chordsim.ledger.summary import Summary
from chordsim.methods.static_mixed.cloud import plan_of
from chordsim.progress import Silent
from chordsim.round import sizes
from chordsim.scenario.load import load
from chordsim.sized import SizedWorld, sized_world
from server.training import dense
from tests.plenty import PLENTY

SIZES = ["data.synthetic.users=250", "data.synthetic.items=80", "rounds.count=2", 'protocol.metrics="none"']
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
        pytest.param(["clock.loss=0.15", 'population.era="2010s"'], marks=pytest.mark.slow),
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
        assert run.manifest["forecast"].keys() == run.summary["forecast"].keys() == run.summary["methods"].keys()
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


@pytest.mark.parametrize("bits", [2.0, 3.0])
def test_a_size_that_hangs_on_training_is_a_range_that_holds_every_plan(bits: float) -> None:
    world = sized_world(load("offline", [*SIZES, 'methods=["static-mixed","fp32"]', f"settings.static-mixed.bits={bits}"]))
    found = {name: groups["all"]["first_contact_down_bytes"] for name, groups in forecast(world).items()}
    told, draw = found["static-mixed"], torch.Generator().manual_seed(1)
    half: Any = methods.load(world.specs["static-mixed"].cloud)(world.context("static-mixed"))
    state = half.train(world.logs(), Silent())
    weights = dense.weights(half.shapes, state)
    for sharpness in (0, 8):
        # The more unlike layers and channels are, the fewer of them have each width.
        hurts = [torch.rand(1, generator=draw) ** sharpness * torch.rand(w.shape, generator=draw) ** sharpness for w in weights]
        planned = {**state, "bits": plan_of(half.shapes, weights, bits, hurts)}
        assert told.low <= sum(len(blob.data) for blob in half.bootstrap(planned)) <= told.high
    for name, one in found.items():
        assert (one.high - one.low < 1) == (name == "fp32" or bits == 2.0)
    assert told.high < 1.15 * told.low, "near"


def test_who_is_not_served_is_told_by_how_it_ended() -> None:
    weather = ["clock.deadline_s=0.3", "clock.loss=0.1", 'population.availability.kind="diurnal"']
    found = forecast(sized_world(load("offline", [*SIZES, 'methods=["fp32"]', *weather])))
    told = found["fp32"]["all"]
    ends = ("served", "refused", "late", "dropped", "offline")
    assert sum(told[f"{end}_share"].middle for end in ends) == pytest.approx(1)
    assert all(told[f"{end}_share"].middle > 0 for end in ends)
    assert [head for head in forecast_table(found).heads if head.split()[0] in ends] == [f"{end}\n%" for end in ends]
    calm = forecast(sized_world(load("offline", [*SIZES, 'methods=["fp32"]'])))
    assert [head for head in forecast_table(calm).heads if head.split()[0] in ends] == ["served\n%", "refused\n%"]


def test_a_deadline_is_checked_without_a_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """One phone that meets it is enough; where none does, the words are the forecast's."""
    played: list[int] = []
    real = sizes.play

    def count(player: Any, world: Any, round: int, ids: Any) -> Any:
        played.append(round)
        return real(player, world, round, ids)

    monkeypatch.setattr(sizes, "play", count)
    check_deadline(sized_world(load("offline", [*SIZES, "clock.deadline_s=3"])))
    assert played == [1]
    world = sized_world(load("offline", [*SIZES, 'methods=["fp32"]', "clock.deadline_s=1e-6"]))
    words = []
    for refuse in (check_deadline, forecast):
        with pytest.raises(ScenarioError) as refused:
            refuse(world)
        words.append(str(refused.value))
    assert words[0] == words[1]


@pytest.mark.parametrize(
    ("settings", "renews"),
    [
        (["settings.fedavg.rate=0.0"], {"fedavg": (), "dccl": ("weights", "patches")}),
        (["settings.fedavg.rate=0.0", 'settings.fedavg.strategy="FedAvg"'], {"fedavg": ("weights",)}),
        (["settings.dccl.distil_rate=0.0"], {"fedavg": ("weights",), "dccl": ("patches",)}),
        (["settings.dccl.distil_steps=0", "settings.dccl.rate=0.0"], {"dccl": ()}),
    ],
)
def test_updates_that_change_nothing_make_no_new_model(settings: list[str], renews: dict[str, tuple[str, ...]]) -> None:
    world = sized_world(load("offline", [*SIZES, *PLENTY, 'methods=["fedavg","dccl"]', "rounds.count=3", *settings]))
    parts, found = sizes.bootstraps(world), forecast(world)
    for name, labels in renews.items():
        told = found[name]["all"]
        anew = sum(parts[name][label] for label in labels)
        assert told["down_bytes_per_device"].middle == pytest.approx((told["first_contact_down_bytes"].middle + 2 * anew) / 3)
        assert "per_version_down_bytes" in told if labels else "per_version_down_bytes" not in told
        if labels:
            assert told["per_version_down_bytes"].middle == anew


@given(
    loss=st.floats(0, 0.99),
    deadline=st.sampled_from((0, 0.3, 1.0, 30.0)),
    memory=st.floats(0.001, 1.0),
    devices=st.sampled_from((3, 40, 5000)),
    phones=st.sampled_from(('population.era="2010s"', 'population.availability.kind="diurnal"', "rounds.new_model_every=1")),
)
@settings(max_examples=12)
def test_no_share_is_below_nothing_or_above_all(loss: float, deadline: float, memory: float, devices: int, phones: str) -> None:
    """Nine of ten phones lost, or one in a hundred: a range of three deviations would leave 0 to 100 %."""
    more = [f"clock.loss={loss}", f"clock.deadline_s={deadline}", f"population.devices={devices}", phones]
    tiers = [] if "era" in phones else [f"population.tiers.low.memory_mb={memory}"]
    try:
        found = forecast(sized_world(load("offline", [*BASE, *more, *tiers])))
    except ScenarioError:
        return  # Nobody could meet the deadline.
    for groups in found.values():
        for quantities in groups.values():
            for name, told in quantities.items():
                assert 0 <= told.low <= told.middle <= told.high, name
                assert not name.endswith("_share") or told.high <= 1, name
    for table in (forecast_table(found), fleet_table(found)):
        percents = [place for place, head in enumerate(table.heads) if "%" in head]
        assert percents
        for row in table.rows:
            for place in percents:
                ends = row[len(table.names) + place].replace("-", " ").split()
                assert all(0 <= float(end) <= 100 for end in ends), row
