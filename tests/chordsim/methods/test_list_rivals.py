"""Rivals of a plan that reads the list: a vector in its place, the cloud's order joined with the phone's, another session's list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import chordsim
from chordsim.api import RunResult
from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, INVALID, UP_PROFILE, UP_REPORT, Turn
from chordsim.methods.chord.controls.cloud import partners
from chordsim.methods.chord.settings import PlanSettings, told_macs
from chordsim.nets.backbone import last_states
from chordsim.quant.plan import gather
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.testing.talk import Talk
from chordsim.wire.codes import decode_codes
from server.training import cache

TOLD = {"told": "vector", "delivery": "bootstrap"}


def loud(t: Talk) -> Talk:
    """Return the talk with a state that three steps of training have moved far: what starts near nothing does something."""
    made = torch.Generator().manual_seed(1)
    return replace(t, state={**t.state, "reader.head.weight": torch.randn(t.state["reader.head.weight"].shape, generator=made) / 8})


def on_list(t: Talk, turn: Turn) -> np.ndarray:
    """Return the scores of what is listed for each phone that takes part."""
    scores = turn.scored()
    assert scores is not None and t.who.listed is not None
    every = scores.shape == (len(t.who), t.world.n_items + 1)
    return (np.take_along_axis(scores, t.who.listed, 1) if every else scores)[t.who.active]


def test_a_vector_has_the_bytes_of_a_plan_and_is_added_to_every_input(talk: Callable[..., Talk]) -> None:
    t, plan = loud(talk("chord-shared", TOLD)), talk("chord-shared")
    legs, on = t.exchange(), t.who.active
    sizes, planned = t.spec.sizes(t.context, t.who), plan.spec.sizes(plan.context, plan.who)
    assert (legs[DOWN_PRESCRIPTION].payload.lengths[on] == sizes[DOWN_PRESCRIPTION][on]).all()
    assert (legs[UP_PROFILE].payload.lengths[on] == sizes[UP_PROFILE][on]).all()
    assert (sizes[DOWN_PRESCRIPTION] == planned[DOWN_PRESCRIPTION]).all()
    turn = legs[DOWN_PRESCRIPTION].device
    spec_needs = t.spec.needs(t.context, t.who.budgets)
    assert spec_needs is not None and (turn.cost.adapt_macs == spec_needs.cost.adapt_macs).all()
    assert (turn.cost.model_bytes[on] <= spec_needs.cost.model_bytes[on]).all()
    # By hand: numbers over 127, the matrix, and the plan that this phone buys.
    numbers = torch.tensor([list(np.frombuffer(row, np.int8)) for row in legs[DOWN_PRESCRIPTION].payload if row]) / 127
    assert numbers.abs().max() <= 1 and len({row.numpy().tobytes() for row in numbers}) == on.sum()
    joins = numbers @ t.state["told.matrix"].T
    model, items = t.model, torch.from_numpy(t.history.items[on])
    bought = t.device.kernels.allocate(
        model.worth, t.device.budget.costs(), t.device.budget.limits(t.who.budgets, 2.0)[:1], t.device.settings.lowest
    )
    weights = gather(model.tables, bought.codes.long().expand(len(items), -1), t.device.shapes.layers)
    states = last_states(items, model.item, model.position, weights, t.context.backbone, joins)
    without = last_states(items, model.item, model.position, weights, t.context.backbone)
    by_hand = np.take_along_axis((states @ model.item.T).numpy(), t.who.listed[on], 1)
    assert np.allclose(on_list(t, turn), by_hand, atol=1e-4) and not torch.allclose(states, without, atol=1e-3)


def test_a_vector_follows_user_and_list_and_a_torn_one_fails_its_phone_alone(talk: Callable[..., Talk]) -> None:
    t = loud(talk("chord-shared", TOLD))
    assert t.who.listed is not None
    own = list(t.exchange()[DOWN_PRESCRIPTION].payload)
    listed = t.who.listed.copy()
    listed[2] = listed[3]
    history = replace(t.history, items=t.history.items.copy())
    history.items[4] = history.items[5]
    changed = [a != b for a, b in zip(own, t.exchange(replace(t.who, listed=listed))[DOWN_PRESCRIPTION].payload, strict=True)]
    assert changed == [d == 2 for d in range(len(own))]
    changed = [a != b for a, b in zip(own, t.exchange(history=history)[DOWN_PRESCRIPTION].payload, strict=True)]
    assert changed == [d == 4 for d in range(len(own))]
    torn = Ragged.of_rows([own[0][:-1], *own[1:]])
    turn = t.act(DOWN_PRESCRIPTION, t.who, t.history, torn)
    assert turn.refusal[0] == INVALID and not turn.refusal[1:-1].any()


def test_an_aged_vector_is_that_of_the_history_so_many_items_ago(talk: Callable[..., Talk]) -> None:
    t, own = loud(talk("chord-shared", {**TOLD, "aged": 3})), loud(talk("chord-shared", TOLD))
    assert cache.key(t.cloud, t.world.logs) == cache.key(own.cloud, own.world.logs)
    window, on = t.context.backbone.max_len, t.who.active
    assert t.history.items.shape[1] == window + 3
    then = replace(own.history, items=t.history.items[:, :window].copy())
    got, told = t.exchange()[DOWN_PRESCRIPTION], own.exchange(history=then)[DOWN_PRESCRIPTION].payload
    assert list(got.payload) == list(told) != list(own.exchange()[DOWN_PRESCRIPTION].payload)
    ranked = own.act(DOWN_PRESCRIPTION, own.who, own.history, told)
    assert on.any() and (on_list(t, got.device) == on_list(own, ranked)).all()


def test_matrix_and_numbers_weigh_what_they_are(talk: Callable[..., Talk]) -> None:
    t, once = talk("chord-shared", TOLD), talk("chord-shared", {"delivery": "bootstrap"})
    s, dim, numbers = t.device.settings, t.context.backbone.dim, t.device.shapes.plan_bytes
    reader = sum(4 * p.numel() for name, p in t.state.items() if name.startswith("extractor."))
    assert t.device.budget.extra_bytes - once.device.budget.extra_bytes == reader + 4 * dim * numbers + numbers
    macs = sum(p.numel() for name, p in t.state.items() if name.startswith("extractor.") and p.ndim == 2)
    assert told_macs(t.device.shapes, s) == macs + dim * numbers
    assert set(t.blobs()) - set(once.blobs()) == {"extractor", "told"}


def test_orders_are_fused_by_the_sum_of_reciprocal_ranks(talk: Callable[..., Talk]) -> None:
    alone, both = talk("chord-shared", {"list_weight": 0.1}), talk("chord-shared", {"list_weight": 0.1, "fuse": True})
    key = [cache.key(cache.trainee(t.cloud), t.world.logs) for t in (alone, both)]
    assert key[0] == key[1] and both.who.listed is not None
    scored, got = (on_list(one, one.exchange()[DOWN_PRESCRIPTION].device) for one in (alone, both))
    listed = both.who.listed[both.who.active]
    for d in range(len(listed)):
        own = {int(i): scored[d, at] for at, i in enumerate(listed[d]) if i}
        places = {item: place for place, item in enumerate(sorted(own, key=lambda i: -own[i]))}
        worth = [1 / (60 + at) + 1 / (60 + places[int(item)]) for at, item in enumerate(listed[d]) if item]
        wanted = sorted(range(len(worth)), key=lambda at: (-worth[at], at))
        assert np.argsort(-got[d], kind="stable")[: len(worth)].tolist() == wanted
    assert len(set(got[0])) == listed.shape[1]


def test_another_sessions_list_leaves_the_user_alone(talk: Callable[..., Talk]) -> None:
    t, own = (loud(talk(name, {"sees": "candidates", **more})) for name, more in (("chord-swapped", {"swaps": "list"}), ("chord-plus", {})))
    on, listed = t.who.active, t.who.listed
    assert listed is not None and cache.key(cache.trainee(t.cloud), t.world.logs) == cache.key(own.cloud, own.world.logs)
    partner = partners(t.history.lengths, t.who.device_ids, on)
    got, wanted, same = (
        decode_codes(legs[DOWN_PRESCRIPTION].payload, t.device.shapes.channels)[0][on]
        for legs in (t.exchange(), own.exchange(replace(own.who, listed=listed[partner])), own.exchange())
    )
    assert (got == wanted).all() and (got != same).any()


@pytest.fixture(scope="module")
def runs(tiny_overrides: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> list[RunResult]:
    """One scenario of all rivals, in one cell and in three."""
    names = ("retriever", "chord-plus", "chord-swapped", "chord-shared")
    sets = (
        "backbone.items=cached",
        "protocol.ranking=candidates",
        "protocol.candidates=10",
        "clock.loss=0.1",
        "settings.chord-plus.sees=candidates",
        "settings.chord-plus.fuse=true",
        "settings.chord-swapped.swaps=list",
        "settings.chord-shared.told=vector",
        "settings.chord-shared.delivery=bootstrap",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        return [
            chordsim.run(
                "offline",
                overrides=tiny_overrides(*sets, *more, methods=names),
                out=tmp_path_factory.mktemp("rivals") / "run",
                report=False,
            )
            for more in ((), ("engine.cells=3", "engine.workers=2", "engine.share_equal=true"))
        ]


def test_a_run_of_all_rivals_has_one_ledger(runs: list[RunResult]) -> None:
    assert runs[0].manifest["ledger_sha256"] == runs[1].manifest["ledger_sha256"]
    ledger = runs[0].ledger
    assert set(ledger.method[ledger.outcome == "served"]) == {"retriever", "chord-plus", "chord-swapped", "chord-shared"}
    down = ledger[ledger.outcome == "served"].groupby("method").prescription_bytes.agg(["min", "max"])
    assert down.loc["chord-plus"].tolist() == down.loc["chord-shared"].tolist() == [48, 48]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["settings.chord-shared.told=vector", "settings.chord-shared.delivery=bootstrap"], "settings.chord-shared reads what the cloud"),
        (["settings.chord-shared.told=vector", "protocol.ranking=candidates"], 'set settings.chord-shared.delivery = "bootstrap"'),
        (["settings.chord-plus.told=vector"], "settings.chord-plus.told"),
        (["settings.chord-shared.aged=2"], 'settings.chord-shared.aged asks for settings.chord-shared.told = "vector"'),
        (
            ["settings.chord-shared.delivery=bootstrap", "settings.chord-shared.planner=levels"],
            'set settings.chord-shared.planner = "shared"',
        ),
        (["settings.chord-plus.fuse=true"], "settings.chord-plus reads what the cloud lists"),
        (["settings.chord-swapped.swaps=list"], 'settings.chord-swapped.swaps = "list" asks for settings.chord-swapped.sees'),
    ],
)
def test_what_contradicts_is_one_line(overrides: list[str], words: str, tiny: Callable[..., list[str]]) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("offline", tiny(*overrides, methods=("chord-plus", "chord-swapped", "chord-shared")))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_only_training_and_the_cloud_ask_for_lists_of_windows() -> None:
    made = PlanSettings.of("chord-plus", {"planner": "personal", "fuse": True})
    assert made.reads_lists and not made.trains_on_lists and not made.joins_lists


def test_an_exchange_of_a_told_phone_ends_with_its_report(talk: Callable[..., Talk]) -> None:
    assert list(talk("chord-shared", TOLD).exchange()) == [UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT]
