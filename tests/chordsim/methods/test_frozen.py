"""`frozen-k`: what phones run is the random backbone that `chord` has, at k bits, and nothing but embeddings was trained."""

import numpy as np
import pytest
import torch

from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_REPORT, find
from chordsim.nets.frozen import draw
from chordsim.quant.quantizer import quantize
from chordsim.scenario.load import load


@pytest.mark.parametrize(("name", "settings"), [("frozen-2", {}), ("frozen-3", {"law": "signed", "gains": True, "start": "reference"})])
def test_phone_and_cloud_agree_and_the_phone_draws_the_weights_of_chord(talk, name, settings):
    t = talk(name, settings)
    turn = t.exchange()[UP_REPORT][1]
    with torch.no_grad():
        states = t.cloud.restored(t.state).last_states(torch.from_numpy(t.history.items))
    assert np.allclose(turn.scored()[:-1], (states @ t.state["item"].T).numpy()[:-1], atol=1e-4)
    drawn = [quantize(w, int(name[-1])) for w in draw(t.device.shapes.layers, t.context.seed, settings.get("law", "gaussian"))]
    gains = [t.state.get(f"gains.{n}", torch.ones(1)) for n in range(len(drawn))]
    assert all(torch.equal(held, w * gain) for held, w, gain in zip(t.model.weights, drawn, gains, strict=True))
    assert (turn.bits == int(name[-1])).all() and {leg.kind for leg in t.spec.exchange} == {"report"}


def test_only_embeddings_are_trained_and_they_start_as_those_of_chord(talk):
    t, chord = talk("frozen-3"), talk("chord")
    start, theirs = t.cloud.network(), chord.cloud._restore(chord.state)
    assert {name for name, _ in start.named_parameters()} == {"item", "position"}
    fresh = type(theirs)(theirs.shapes, theirs.settings, chord.context.seed)
    assert torch.equal(start.item, fresh.item) and torch.equal(start.position, fresh.position)
    assert start.horizon == fresh.horizon and not torch.equal(t.state["item"], start.item.detach())


def test_from_the_reference_embeddings_move_at_the_rates_of_chord(talk):
    t, fp32 = talk("frozen-3", {"start": "reference"}), talk("fp32")
    network = t.cloud.network()
    from chordsim.progress import Silent

    started = t.cloud.start(network, t.world.logs, Silent())
    assert torch.equal(network.item.detach(), fp32.state["item"]) and started == frozenset()


def test_it_follows_the_settings_of_chord(tiny):
    own = load("offline", tiny("settings.chord.start=reference", "settings.chord.bits=2.5", methods=("chord", "frozen-3")))
    assert own.settings["frozen-3"] == {
        "width": 3,
        "law": "gaussian",
        "gains": False,
        "start": "reference",
        "horizon": 12,
        "activation_bits": 32,
    }


@pytest.mark.parametrize("name", ["frozen-1", "frozen-16", "frozen-k"])
def test_widths_are_those_of_plans(name):
    with pytest.raises(ScenarioError, match="frozen-k comes with k = 2, 3, 4, 8"):
        find(name)


def test_chord_plans_with_rounded_activations_are_run_as_they_were_trained(talk):
    same = {"bits": 4.0, "train_bits": [4.0]}
    narrow, plain = (talk("chord", {**same, "activation_bits": bits}) for bits in (4, 32))
    said = narrow.exchange()[DOWN_PRESCRIPTION].device
    with torch.no_grad():
        model = narrow.cloud._restore(narrow.state)
        states = model.last_states(torch.from_numpy(narrow.history.items))
    table = narrow.state["item"]
    assert np.allclose(said.scored()[:-1], (states @ table.T).numpy()[:-1], atol=1e-4)
    assert narrow.device.portable({}) is None
    other = plain.exchange()[DOWN_PRESCRIPTION].device
    assert (said.cost.bitops < other.cost.bitops).all() and (said.cost.macs == other.cost.macs).all()
    assert not np.allclose(said.scored()[:-1], other.scored()[:-1], atol=1e-3)
