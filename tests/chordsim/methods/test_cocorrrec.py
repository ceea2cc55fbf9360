"""`cocorrrec`: the closed form is the gradient step that autograd computes, position by position."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from chordsim.methods import DOWN_PRESCRIPTION
from chordsim.methods.cocorrrec import net as cocorrrec
from chordsim.methods.cocorrrec.net import EPSILON, HEADS, MINI_BATCH
from chordsim.nets import sasrec


@pytest.fixture
def layer(talk):
    made = cocorrrec.SelfCorrection(talk("cocorrrec").device.shapes).double()
    torch.manual_seed(3)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn_like(p) * 0.3)
    return made


def _parts(layer):
    torch.manual_seed(4)
    q, k, v = (torch.randn(2, HEADS, MINI_BATCH, layer.width, dtype=torch.float64) for _ in range(3))
    return q, k, v, torch.rand(2, HEADS, MINI_BATCH, dtype=torch.float64)


def test_the_closed_form_is_autograds_gradient_step(layer):
    q, k, v, eta = _parts(layer)
    fast = layer.fast.detach().expand(2, -1, -1, -1)
    bias = layer.fast_bias.detach().expand(2, -1, -1, -1)
    out, new_fast, new_bias = layer.mini_batch(q, k, v, eta, fast, bias, None)
    for t in range(MINI_BATCH):
        w, b = fast.clone().requires_grad_(), bias.clone().requires_grad_()
        # Position t sees one step over the losses of the positions up to itself, all taken at the same weights.
        seen = slice(0, t + 1)
        guess = F.layer_norm(k[:, :, seen] @ w + b, (layer.width,), eps=EPSILON) * layer.gain + layer.offset
        # What place t reads is stepped at the rate of its own.
        loss = layer.token[t].detach().clamp_min(0) * (eta[:, :, seen, None] * 0.5 * (guess - (v - k)[:, :, seen]).square()).sum()
        gw, gb = torch.autograd.grad(loss, (w, b))
        z = q[:, :, t : t + 1] @ (w - gw) + b - gb
        expected = q[:, :, t : t + 1] + F.layer_norm(z, (layer.width,), eps=EPSILON) * layer.gain + layer.offset
        assert torch.allclose(out[:, :, t : t + 1], expected, atol=1e-9)
    assert torch.allclose(new_fast, w - gw, atol=1e-9) and torch.allclose(new_bias, b - gb, atol=1e-9)


def test_no_position_sees_a_later_one(layer):
    torch.manual_seed(5)
    items, states = torch.ones(1, 25, dtype=torch.int64), torch.randn(1, 25, layer.dim, dtype=torch.float64)
    changed = states.clone()
    changed[:, 17:] = torch.randn(1, 8, layer.dim, dtype=torch.float64)
    correction = cocorrrec.split_correction(torch.randn(1, cocorrrec.correction_numbers(layer.dim), dtype=torch.float64), layer.dim)
    a, b = layer(items, states, correction), layer(items, changed, correction)
    assert torch.allclose(a[:, :17], b[:, :17], atol=1e-12) and not torch.allclose(a[:, 17:], b[:, 17:])


def test_the_correction_takes_the_devices_own_mean_and_deviation():
    own, told = torch.randn(1, 1, 10, 10) * 3 + 5, torch.randn(1, 1, 10, 10) * 100
    like = cocorrrec._like(told, own)
    assert torch.allclose(like.mean(-1), own.mean(-1), atol=1e-3) and torch.allclose(like.std(-1), own.std(-1), atol=1e-3)


def test_the_cloud_moves_the_ranking_and_phone_and_cloud_agree(talk):
    t = talk("cocorrrec")
    legs = t.exchange()
    payload, turn, _ = legs[DOWN_PRESCRIPTION]
    assert len({bytes(row) for row, on in zip(payload, t.who.active, strict=True) if on}) > 1
    with torch.no_grad():
        network, items = t.cloud.restored(t.state), torch.from_numpy(t.history.items)
        states = network.last_states(items)
        alone = network.layer(items, sasrec.embed(items, t.model.item, t.model.position))
    assert np.allclose(turn.scored()[:-1], (states @ t.state["item"].T).numpy()[:-1], atol=1e-4)
    assert not torch.allclose(alone[:, -1], states)


def test_the_closed_form_of_its_size_is_the_layers(talk):
    t = talk("cocorrrec")
    assert cocorrrec.layer_size(t.device.shapes) == sum(p.numel() for p in cocorrrec.SelfCorrection(t.device.shapes).parameters())
