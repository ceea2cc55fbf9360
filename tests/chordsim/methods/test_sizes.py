"""Every method: the bytes of each leg are those of its closed form, and what does not fit a phone is refused."""

from dataclasses import replace

import numpy as np
import pytest

from chordsim import methods
from tests.chordsim.methods.exact_sizes import exact_sizes

NAMES = sorted(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim."))
WITH_MODEL = [name for name in NAMES if name != "cloud-only"]


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_what_is_encoded(talk, name):
    t = talk(name)
    legs = t.exchange()
    told = {leg: payload for leg, (payload, _, _) in legs.items()}
    sizes, bound = exact_sizes(t.spec, t.context, t.who, told), t.spec.sizes(t.context, t.who)
    assert set(sizes) == {leg for leg in t.spec.exchange if leg.kind != "report"}
    for leg, expected in sizes.items():
        payload, done, cloud = legs[leg]
        sent = t.who.active & (cloud is None or cloud.refusal == 0)
        assert payload.lengths.tolist() == np.where(sent, expected, 0).tolist(), leg
        assert (expected <= bound[leg]).all()


@pytest.mark.parametrize("name", WITH_MODEL)
def test_a_phone_without_memory_is_refused(talk, name):
    t = talk(name)
    none = replace(t.who.budgets, memory_bytes=np.zeros(len(t.who), np.int64))
    who = replace(t.who, budgets=none)
    admitted = t.cloud.admit(t.state, none)
    if (admitted > 0).all():
        return
    refused = np.zeros(len(who), bool)
    for _, (_, done, cloud) in t.exchange(who).items():
        refused |= done.refusal > 0
        if cloud is not None:
            refused |= cloud.refusal > 0
    assert refused[who.active].all()


@pytest.mark.parametrize("name", NAMES)
def test_some_phone_ranks_and_its_cost_is_on_record(talk, name):
    t = talk(name)
    ranked = [d for _, d, _ in t.exchange().values() if d.scores is not None or d.ranking is not None]
    assert len(ranked) == 1
    turn = ranked[0]
    if turn.scores is not None:
        assert np.isfinite(turn.scored()[t.who.active][:, 1:]).all()
    assert (turn.cost.peak_memory_bytes[t.who.active] > 0).all()
