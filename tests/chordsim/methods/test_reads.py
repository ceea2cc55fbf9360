"""Extractors that read more than the backbone's window: older items reach profile and inputs, and their ids are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, Budgets
from chordsim.nets import extractor
from chordsim.nets.reads import READS, held_bytes, reach_of
from chordsim.scenario.load import load
from chordsim.testing import check_method
from chordsim.testing.talk import Talk, small_world
from server.training.validation import Validation

WINDOW, WIDTH, DIM = 8, 8, 16
SHORT = {"max_len": WINDOW}
LONG = {"reads": [60, 30, 8], "profile_dim": WIDTH}


@pytest.mark.parametrize(("name", "more"), [("chord-plus", {"user_input": True}), ("film-192", {})])
def test_a_method_that_reads_far_back_keeps_all_promises(name: str, more: dict[str, object]) -> None:
    assert len(check_method(name, {**LONG, **more}, SHORT)) == 8


def test_older_items_reach_the_profile_and_the_inputs_but_never_the_backbone() -> None:
    for told in (True, False):
        t = Talk.of("chord-shared", {**LONG, "user_input": told}, SHORT)
        on = t.who.active & (t.history.lengths > WINDOW)
        assert t.history.items.shape[1] == 60 and on.any()
        newer = t.history.items.copy()
        newer[:, :-WINDOW] = np.where(newer[:, :-WINDOW] > 0, newer[:, :-WINDOW] % 50 + 1, 0)
        one, other = t.exchange(), t.exchange(history=replace(t.history, items=newer))
        profiles = [[said[UP_PROFILE].payload[d] for d in np.flatnonzero(on)] for said in (one, other)]
        assert all(a != b for a, b in zip(*profiles, strict=True))
        scores = [said[DOWN_PRESCRIPTION].device.scored()[on] for said in (one, other)]
        # The plan is the same for all, so older items show in scores through the user's vector alone.
        assert np.array_equal(*scores) is not told


def test_ids_of_older_items_and_means_of_them_are_counted() -> None:
    plenty = Budgets(np.full(1, 2**40), np.full(1, 10.0), np.full(1, 32.0), np.full(1, 1e9))
    for name in ("chord-plus", "film-192"):
        costs = []
        for reads in (list(READS), LONG["reads"]):
            world = small_world(name, {**LONG, "reads": reads}, SHORT)
            told = world.specs[name].needs(world.context(name), plenty)
            assert told is not None
            costs.append(told.cost)
        short, long = costs
        more = 4 * DIM * 2 * WIDTH + 2 * 60
        assert long.model_bytes - short.model_bytes == more and long.peak_memory_bytes - short.peak_memory_bytes == more
        assert long.adapt_macs - short.adapt_macs == DIM * 2 * WIDTH + DIM * (60 - 50)
    assert held_bytes((30,), 30, 50) == 0 and held_bytes((31,), 30, 2**16 - 1) == 62 and held_bytes((31,), 30, 2**16) == 124
    assert extractor.size("mean", DIM, WIDTH, (30, 8)) == extractor.size("mean", DIM, WIDTH)


def test_the_usual_lengths_stay_within_the_window_and_others_reach_beyond_it() -> None:
    for reads, length in ((READS, 20), ([51, 8], 51), ([8], 20), ("long", 20), (7, 20)):
        assert methods.find("chord-plus").as_set({"reads": reads}).history_length(20) == length
    assert reach_of([0]) == reach_of([True]) == reach_of(None) == 0
    aged = methods.find("chord-aged-7").as_set({"reads": [400, 8], "plans_of": "chord-plus"})
    assert aged.history_length(20) == 407 and methods.find("fp32").history_length(20) == 20


def test_validation_reads_as_far_back_as_phones_do() -> None:
    world = small_world("chord-plus", LONG, SHORT)
    far, near = (Validation.of(world.logs, length, 100, 1) for length in (60, WINDOW))
    assert far.history.shape[1] == 60 and torch.equal(far.history[:, -WINDOW:], near.history)
    assert bool((far.history[:, :-WINDOW] > 0).any()) and torch.equal(far.targets, near.targets)


@pytest.mark.parametrize("name", ["chord", "film-192"])
def test_lengths_are_of_the_extractor_that_takes_means(name: str) -> None:
    overrides = [f'methods=["{name}"]', f"settings.{name}.reads=[400,50,8]", f'settings.{name}.extractor="gru"']
    with pytest.raises(ScenarioError, match=rf"settings\.{name}\.reads") as caught:
        load("offline", overrides)
    assert "\n" not in str(caught.value)
    assert load("offline", [*overrides[:2], f'settings.{name}.extractor="mean"'])
    with pytest.raises(ScenarioError, match=rf"settings\.{name}\.reads: must be 1 to 8 lengths"):
        load("offline", [overrides[0], f"settings.{name}.reads=[50.5]"])


def test_a_cache_without_room_for_the_rows_of_older_items_is_refused_in_one_line() -> None:
    overrides = ['methods=["chord-plus","chord-aged-5"]', "backbone.items=cached", "protocol.ranking=candidates", "protocol.candidates=20"]
    overrides.append("settings.chord-plus.reads=[100,8]")
    with pytest.raises(ScenarioError, match="chord-plus.* needs at least 120"):
        load("offline", [*overrides, "backbone.cache_rows=119"])
    with pytest.raises(ScenarioError, match="chord-aged-5.* needs at least 125"):
        load("offline", [*overrides, "backbone.cache_rows=124"])
    assert load("offline", [*overrides, "backbone.cache_rows=125"])
