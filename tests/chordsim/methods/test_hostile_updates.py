"""Phones that send poison: what learns takes in no more of it than an honest phone's steps could have done."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chordsim.methods import UP_UPDATE
from chordsim.nets import sasrec
from chordsim.ragged import Ragged
from chordsim.round.updates import bounded, clipped, counting, finite
from chordsim.wire.floats import unpack_floats
from clients import learning

POISON = {
    "huge": lambda own: np.full_like(own, 3e38),
    "negative": lambda own: np.full_like(own, -3e38),
    "none": lambda own: own * np.nan,
    "endless": lambda own: own + np.inf,
    "away": lambda own: own * -50.0,
    "vain": lambda own: np.append(own[:-1], 1e30),
    "empty": lambda own: own[:0],
    "longer": lambda own: np.append(own, 1.0),
}

#: `dccl`, which distils, takes longer: there, one of each answer of the cloud's.
CASES = [
    pytest.param(name, kind, marks=() if name == "fedavg" or kind in ("huge", "none", "vain", "longer") else pytest.mark.slow)
    for name in ("fedavg", "dccl")
    for kind in POISON
]


def poisoned(updates, count, make):
    values, _ = unpack_floats(updates, count)
    rows = [values[d] if d % 5 != 3 else make(values[d]) for d in range(len(updates))]
    return Ragged.of_rows(np.asarray(row, "<f4").tobytes() if len(updates[d]) else b"" for d, row in enumerate(rows))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_poison_moves_a_learnt_state_no_further_than_honest_steps(name, kind, talk):
    t = talk(name)
    updates = t.exchange()[UP_UPDATE][0]
    count = len(updates[0]) // 4
    who = replace(t.who, budgets=None)
    honest = t.cloud.learn(t.state, [(who, updates)])
    hit = t.cloud.learn(t.state, [(who, poisoned(updates, count, POISON[kind]))])
    assert finite(hit)
    reach = int(t.context.settings["steps"]) * float(t.context.settings["rate"])
    learnt = [key for key in t.state if not torch.equal(t.state[key], honest[key])]
    assert learnt
    if name == "fedavg":
        moved = torch.cat([(hit[key] - t.state[key]).flatten() for key in learnt]).norm()
        assert moved <= reach * 1.02
    assert any(not torch.equal(hit[key], t.state[key]) for key in learnt), "honest phones are still heard"


COUNTED = {
    "huge": {"updates pulled back"},
    "negative": {"updates pulled back"},
    "none": {"senseless updates"},
    "endless": {"senseless updates"},
    "away": {"updates pulled back"},
    "vain": {"weights of updates capped"},
    "empty": {"senseless updates"},
    "longer": {"senseless updates"},
}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_is_not_taken_as_it_came_is_counted_by_phone(name, kind, talk):
    t = talk(name)
    updates, who = t.exchange()[UP_UPDATE][0], replace(t.who, budgets=None)
    liars = int(who.active[3::5].sum())
    honest, hit = Counter(), Counter()
    with counting(honest):
        t.cloud.learn(t.state, [(who, updates)])
    with counting(hit):
        t.cloud.learn(t.state, [(who, poisoned(updates, len(updates[0]) // 4, POISON[kind]))])
    assert not +honest
    if name == "dccl" and kind == "vain":
        # One number of a metapatch, not a weight of its own; in dccl that pulls the whole metapatch away.
        assert +hit == {"updates pulled back": liars}
    else:
        assert {what for what in COUNTED[kind] if hit[what] == liars} == COUNTED[kind]
    # Nobody counts where nothing learns.
    t.cloud.learn(t.state, [(who, updates)])


def test_honest_updates_keep_their_bits(talk):
    t = talk("fedavg")
    updates = t.exchange()[UP_UPDATE][0]
    values, sound = unpack_floats(updates, len(updates[0]) // 4)
    start = torch.cat([t.state[f"weights.{n}"].flatten() for n in range(len(t.cloud.shapes.layers))]).numpy()
    own = values[sound, :-1]
    reach = int(t.context.settings["steps"]) * float(t.context.settings["rate"])
    assert np.array_equal(bounded(own, start, reach), own)


numbers = hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=st.floats(allow_nan=True, allow_infinity=True))


@given(numbers, st.just(0.0) | st.floats(1e-6, 1e6))
def test_clipping_bounds_every_row_and_moves_no_other(values, limit):
    out, changed = clipped(values, limit)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(out, axis=1)
    assert np.isfinite(out).all()
    assert (norms <= limit * (1 + 1e-9)).all()
    assert np.array_equal(out[~changed], values[~changed])


def test_a_state_with_a_number_that_is_none_is_not_taken_over():
    assert finite({"a": torch.ones(2), "b": torch.arange(3)})
    assert not finite({"a": torch.tensor([1.0, float("inf")])})


@pytest.mark.parametrize("kind", ["huge", "away", "none"])
def test_fedavg_still_improves_with_one_phone_in_five_hostile(kind, talk):
    t = talk("fedavg", {"steps": 5, "rate": 0.1})
    inputs, targets = learning.lessons(t.history, 10)
    honest = [d for d in range(len(t.who)) if d % 5 != 3]

    def loss(state):
        weights = [state[f"weights.{n}"] for n in range(len(t.cloud.shapes.layers))]
        embedded = sasrec.embed(inputs, t.model.item, t.model.position)
        with torch.no_grad():
            states = sasrec.forward(inputs, embedded, weights, t.context.backbone, reads=inputs.shape[1])
            return float(learning.own_losses(states[:, -10:], t.model.item, targets)[honest].mean())

    updates = t.exchange()[UP_UPDATE][0]
    before, start = loss(t.state), t.state
    for _ in range(5):
        poison = poisoned(updates, len(updates[0]) // 4, POISON[kind])
        t.state = t.cloud.learn(t.state, [(replace(t.who, budgets=None), poison)])
        updates = t.exchange()[UP_UPDATE][0]
    after, t.state = loss(t.state), start
    assert after < before
