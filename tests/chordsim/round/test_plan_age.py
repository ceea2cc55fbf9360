"""The controls of plan age and of the empty history in the round loop: one training, the same bytes, other plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chordsim.ledger.invariants import check
from chordsim.progress import Silent
from server.hosting import train

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
