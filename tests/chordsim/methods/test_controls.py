"""The controls: what they count, whose plan they send, and that they differ from `chord-plus` in that alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, History
from chordsim.methods.chord.controls.cloud import partners
from chordsim.scenario.load import load
from chordsim.wire.codes import decode_codes
from server.training import cache


def _codes(t, legs):
    return decode_codes(legs[DOWN_PRESCRIPTION][0], t.device.shapes.channels)[0][t.who.active]


def test_popularity_is_the_logs_counts(talk):
    t = talk("popularity")
    scores = t.exchange()[UP_REPORT][1].scored()
    assert (scores == np.bincount(t.world.logs.items, minlength=51)).all()


def test_markov_is_what_followed_the_last_item(talk):
    t = talk("markov")
    scores = t.exchange()[UP_REPORT][1].scored()
    logs = t.world.logs
    for d in range(3):
        counts = np.zeros(51)
        for a, b in zip(logs.offsets[:-1], logs.offsets[1:], strict=True):
            row = logs.items[a:b]
            np.add.at(counts, row[1:][row[:-1] == t.history.items[d, -1]], 1)
        assert (np.floor(scores[d, 1:]) == counts[1:]).all()


@pytest.mark.parametrize("name", ["chord-random", "chord-swapped", "chord-empty", "chord-aged-5"])
@pytest.mark.parametrize("whose", ["chord-plus", "chord"])
def test_plan_controls_share_the_training_of_the_method_that_they_control(talk, name, whose):
    control, own = talk(name, {"plans_of": whose}), talk(whose)
    assert cache.key(cache.trainee(control.cloud), control.world.logs) == cache.key(own.cloud, own.world.logs)
    assert {b for b in control.blobs().values()} == {b for b in own.blobs().values()}


def test_random_plans_hold_the_budget_and_know_nobody(talk):
    t = talk("chord-random")
    legs = t.exchange()
    codes = _codes(t, legs)
    assert len({c.tobytes() for c in codes}) == len(codes)
    assert (legs[DOWN_PRESCRIPTION][1].bits[t.who.active] <= 2.0).all()
    assert (_codes(t, t.exchange()) == codes).all()


def test_swapped_plans_are_a_neighbours(talk):
    t, own = talk("chord-swapped"), talk("chord-plus")
    swapped, plans = _codes(t, t.exchange()), _codes(own, own.exchange())
    lengths, ids = t.history.lengths, t.who.device_ids
    partner = partners(lengths, ids, t.who.active)[t.who.active]
    assert (partner != np.flatnonzero(t.who.active)).all()
    assert (swapped == plans[partner]).all()


def test_controls_of_chord_get_its_plans_and_follow_its_settings(talk, tiny):
    t, own, nothing = talk("chord-swapped", {"plans_of": "chord"}), talk("chord"), talk("chord-empty", {"plans_of": "chord"})
    swapped, plans, empty = (_codes(one, one.exchange()) for one in (t, own, nothing))
    partner = partners(t.history.lengths, t.who.device_ids, t.who.active)[t.who.active]
    assert (swapped == plans[partner]).all() and (swapped > 0).all() and (empty == empty[0]).all()
    sets = ["settings.chord.start=reference", "settings.chord-plus.law=signed", "settings.chord-aged-5.plans_of=chord"]
    settings = load("offline", tiny(*sets, methods=("chord", "chord-plus", "chord-aged-5", "chord-random"))).settings
    assert {k: v for k, v in settings["chord-aged-5"].items() if k != "plans_of"} == settings["chord"]
    assert settings["chord-random"] == {**settings["chord-plus"], "plans_of": "chord-plus"}


def test_a_shared_plan_told_once_is_the_plan_of_every_session(talk):
    """The phone buys from what the bootstrap says; the cloud bought from the same, for the same budgets."""
    told, once = talk("chord-shared"), talk("chord-shared", {"delivery": "bootstrap"})
    few = replace(told.who.budgets, bits=np.linspace(0.2, 4, len(told.who)))
    who = replace(told.who, budgets=few)
    legs, alone = told.exchange(who), once.exchange(who)
    assert list(alone) == [UP_REPORT] and set(once.blobs()) == {"backbone", "embeddings", "mask", "utilities"}
    first, second = legs[DOWN_PRESCRIPTION][1], alone[UP_REPORT][1]
    on = told.who.active
    assert (first.scored()[on] == second.scored()[on]).all() and (first.bits[on] == second.bits[on]).all()
    assert len(set(second.bits[on])) > 2 and (second.cost.adapt_macs == 0).all()


def test_partners_are_near_in_length_and_stay_in_the_round():
    lengths, ids = np.array([9, 1, 5, 2, 8, 5, 7]), np.arange(7)
    got = partners(lengths, ids, np.array([True] * 6 + [False]))
    assert got.tolist() == [4, 3, 5, 1, 0, 2, 6]
    assert partners(lengths, ids, np.array([True] * 7)).tolist() == [4, 3, 5, 1, 6, 2, 4]
    assert partners(np.array([3]), np.array([0]), np.array([True])).tolist() == [0]


def test_an_empty_historys_plan_is_the_same_for_all_and_ranks_by_todays_history(talk):
    t, own = talk("chord-empty"), talk("chord-plus")
    legs, on = t.exchange(), t.who.active
    nothing = History(np.zeros_like(t.history.items), np.zeros_like(t.history.lengths))
    assert (_codes(t, legs) == _codes(own, own.exchange(history=nothing))).all()
    assert len({c.tobytes() for c in _codes(t, legs)}) == 1
    # The same plans, put on phones of chord-plus, rank by what the user did.
    theirs = own.act(DOWN_PRESCRIPTION, own.who, t.history, legs[DOWN_PRESCRIPTION][0])
    assert (theirs.scored()[on] == legs[DOWN_PRESCRIPTION][1].scored()[on]).all()
    assert len({row.tobytes() for row in theirs.scored()[on]}) > 1


LONG = {"reads": [30, 8], "user_input": True}


@pytest.mark.parametrize(("age", "settings"), [(1, {}), (5, {}), (12, {}), (500, {}), (3, LONG)])
def test_an_aged_plan_is_what_its_user_had_so_many_items_ago(talk, age, settings):
    """Each phone alone: its log cut by hand, read and planned for by chord-plus."""
    t, own = talk(f"chord-aged-{age}", settings), talk("chord-plus", settings)
    legs, on = t.exchange(), np.flatnonzero(t.who.active)
    log, window = t.world.split.log, own.history.items.shape[1]
    users = t.world.population.users(t.who.device_ids)
    then = np.zeros((len(t.who), window), np.int64)
    for d, user in enumerate(users):
        before = log.items[log.offsets[user] : log.offsets[user + 1] - t.world.split.rounds]
        kept = before[: max(before.size - age, 0)][-window:]
        then[d, window - kept.size :] = kept
    plans = own.exchange(history=History(then, (then > 0).sum(1)))
    assert [legs[UP_PROFILE][0][d] for d in on] == [plans[UP_PROFILE][0][d] for d in on]
    assert (_codes(t, legs) == _codes(own, plans)).all()
    today = own.act(DOWN_PRESCRIPTION, own.who, own.history, legs[DOWN_PRESCRIPTION][0])
    assert (today.scored()[on] == legs[DOWN_PRESCRIPTION][1].scored()[on]).all()
    if age == 500:  # nobody has done so much: everyone gets the plan of an empty history
        empty = talk("chord-empty")
        assert (_codes(t, legs) == _codes(empty, empty.exchange())).all()


@pytest.mark.parametrize("name", ["chord-aged-0", "chord-aged-10001", "chord-aged-k"])
def test_an_age_is_a_number_of_items(name):
    with pytest.raises(ScenarioError, match="k = 1 to 10,000"):
        methods.find(name)


def test_film_sends_a_plans_bytes_and_phone_and_cloud_agree(talk):
    t = talk("film-192", dim=64)
    legs = t.exchange()
    payload, turn, _ = legs[DOWN_PRESCRIPTION]
    on = t.who.active
    assert (payload.lengths[on] == 192).all() and (legs[UP_PROFILE][0].lengths[on] == 256).all()
    with torch.no_grad():
        states = t.cloud.restored(t.state).last_states(torch.from_numpy(t.history.items))
    assert np.allclose(turn.scored()[on], (states @ t.state["item"].T).numpy()[on], atol=1e-4)
    assert len({bytes(row) for row, a in zip(payload, on, strict=True) if a}) > 1
