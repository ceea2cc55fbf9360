"""The controls of plan age and of the empty history in the round loop: one training, the same bytes, other plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chordsim.ledger.invariants import check
from chordsim.progress import Silent
from chordsim.round.replay import Replay
from chordsim.round.scene import scene_of
from chordsim.round.visit import carried
from chordsim.wire.frame import decode_rows
from server.hosting import train
from tests.plenty import PLENTY

NAMES = ("chord-plus", "chord-aged-3", "chord-aged-50", "chord-empty")


def test_one_training_serves_all(table: Callable[..., Any]) -> None:
    at = table("data.synthetic.users=44", "settings.chord-plus.bits=1.5", methods=NAMES)
    trained = train(at.world, Silent())
    # Side by side, whoever comes first trains; the others wait and find it.
    assert sorted(trained.from_cache.values()) == [False, True, True, True] and set(trained.from_cache) == set(NAMES)


@pytest.mark.parametrize("cells", [1, 3])
def test_plans_differ_and_nothing_else(table: Callable[..., Any], cells: int) -> None:
    at = table("training.max_steps=40", "settings.chord-plus.train_bits=[1.5,2.0]", methods=NAMES)
    at.carrier.cells = cells
    played = {name: at.play(name, 2) for name in NAMES}
    for one in played.values():
        check(one.rows, one.moved)
    own = played["chord-plus"].rows
    for name in NAMES[1:]:
        rows = played[name].rows
        for column in ("device_id", "user_id", "outcome", "profile_bytes", "prescription_bytes", "down_bytes", "up_bytes", "download_s"):
            assert np.array_equal(rows[column], own[column]), (name, column)
        assert list(played[name].prescriptions) != list(played["chord-plus"].prescriptions)
    # Nobody here has done 50 things: their plans of that time are those of an empty history, and all rank alike.
    assert np.array_equal(played["chord-aged-50"].rows["rank"], played["chord-empty"].rows["rank"])


def test_an_old_plan_that_was_another_s_is_made_again_of_that_other(table: Callable[..., Any]) -> None:
    """One phone alone shows what it held: its plan is not its own for want of others."""
    name, row = "chord-swapped", 3
    at = table(*PLENTY, "training.max_steps=40", methods=(name,))
    sent, method, scene = at.play(name, 1).prescriptions, at.method(name), scene_of(at.world, 2)
    header = {"scenario": at.text, "data": at.world.digest, "method": name, "blobs": method.labels}
    replay = Replay(
        method.spec, method.half, method.state, header, lambda calls: carried(calls, at.carrier, method.blobs, Counter()), at.world
    )
    shown = replay.shown(scene, np.arange(scene.ids.size) == row, np.ones(scene.ids.size, np.int64))
    again, then = (
        decode_rows("prescription", name, 2, at.carrier.calls[-1].wire["prescription"])[0],
        decode_rows("prescription", name, 1, sent)[0],
    )
    assert np.flatnonzero(~np.isnan(shown.rank)).tolist() == [row] == np.flatnonzero(again.lengths).tolist()
    assert again[row] == then[row] and shown.age[row] == 1
