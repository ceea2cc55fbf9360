"""`diet`: a mask is a function of the user, and what crosses the link is one bit per weight."""

import numpy as np
import pytest
import torch

from chordsim.methods import DOWN_PRESCRIPTION
from chordsim.methods.diet import net as diet
from chordsim.ragged import Ragged


def test_a_mask_changes_with_the_user_and_not_without(talk):
    t = talk("diet")
    first = t.exchange()[DOWN_PRESCRIPTION][0]
    assert len({bytes(row) for row, on in zip(first, t.who.active, strict=True) if on}) > 1
    again = t.exchange()[DOWN_PRESCRIPTION][0]
    assert list(first) == list(again)


def test_a_mask_keeps_its_share_and_survives_the_wire(talk):
    t = talk("diet", {"keep": 0.25})
    scores = [torch.rand(3, n.channels, n.fan_in) for n in t.device.shapes.layers]
    masks = [diet.top(s, 0.25) for s in scores]
    assert all(m.sum((1, 2)).tolist() == [m[0].numel() // 4] * 3 for m in masks)
    back, sound = diet.unpack(Ragged.of_matrix(diet.pack(masks)), t.device.shapes)
    assert sound.all() and all(torch.equal(a, b) for a, b in zip(masks, back, strict=True))


def test_filter_importance_of_the_layer_before_moves_the_mask(talk):
    t = talk("diet")
    model = t.cloud.restored(t.state)
    user = torch.zeros(1, 64)  # then scores are those of the shared matrix
    before = model.masks(user)
    sources = diet.sources(t.device.shapes.layers)
    target = next(n for n, s in enumerate(sources) if s is not None)
    with torch.inference_mode(False), torch.no_grad():
        kept = model.generator_net.filters[str(sources[target])].head.bias.clone()
        model.generator_net.filters[str(sources[target])].head.bias[0] += 50.0
        after = model.masks(user)
        model.generator_net.filters[str(sources[target])].head.bias.copy_(kept)
    # The first channel counts twice as much as its neighbours now, at the cost of theirs.
    assert after[target][0, :, 0].sum() > before[target][0, :, 0].sum()
    assert (after[target] >= before[target])[0, :, 0].all() and after[target].sum() == before[target].sum()


def test_users_begin_with_nearly_the_same_network_and_stay_within_bounds(talk):
    """Shared scores outweigh the own part, whatever a user embedding holds."""
    t = talk("diet")
    fresh = t.cloud.network()
    user = torch.nn.functional.layer_norm(torch.randn(64, 64, generator=torch.Generator().manual_seed(1)), (64,))
    with torch.no_grad():
        masks = fresh.masks(user)
        apart = torch.cat([(m[:32] != m[32:]).flatten(1).float() for m in masks], 1).mean()
        far = fresh.generator_net(1e6 * user)
    assert 0.01 < apart < 0.25  # half would be strangers
    for n, scores in enumerate(far):
        base, source = fresh.generator_net.base[n], fresh.generator_net.sources[n]
        most = torch.sigmoid(base + diet.OWN_BOUND) * (2 if source is None else 4)
        assert (scores <= most + 1e-6).all() and (scores >= 0).all()


PLUS = {"law": "signed", "gains": True, "start": "reference"}


@pytest.mark.parametrize(("settings", "init"), [({}, "random"), (PLUS, "random"), ({"gains": True}, "trained")])
def test_a_phone_with_a_mask_computes_what_the_cloud_trained(talk, settings, init):
    t = talk("diet", settings, init=init)
    turn = t.exchange()[DOWN_PRESCRIPTION][1]
    with torch.no_grad():
        states = t.cloud.restored(t.state).last_states(torch.from_numpy(t.history.items))
    expected = (states @ t.state["item"].T).numpy()
    on = t.who.active
    assert np.allclose(turn.scored()[on], expected[on], atol=1e-5)
    if init == "trained":
        fp32 = talk("fp32")
        assert all(torch.equal(t.state[f"source_{n}"], fp32.state[f"weights.{n}"]) for n in range(len(t.model.frozen)))
        assert (turn.bits == 33.0).all() and "weights" in t.blobs()


def test_a_mask_of_another_length_is_refused(talk):
    t = talk("diet")
    t.exchange()
    turn = t.act(DOWN_PRESCRIPTION, t.who, t.history, Ragged.of_rows([b"x"] * len(t.who)))
    assert (turn.refusal > 0).all()
