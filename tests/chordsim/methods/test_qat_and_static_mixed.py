"""`qat-k` and `static-mixed`: what phones run is what was trained, at the widths asked for."""

import numpy as np
import pytest
import torch

from chordsim.errors import ScenarioError
from chordsim.methods import UP_REPORT, find
from chordsim.methods.static_mixed.cloud import plan_of
from chordsim.quant.quantizer import quantize


@pytest.mark.parametrize("name", ["qat-2", "qat-4", "static-mixed"])
def test_phone_and_cloud_agree(talk, name):
    t = talk(name)
    turn = t.exchange()[UP_REPORT][1]
    with torch.no_grad():
        states = t.cloud.restored(t.state).last_states(torch.from_numpy(t.history.items))
    assert np.allclose(turn.scored()[:-1], (states @ t.state["item"].T).numpy()[:-1], atol=1e-4)


def test_gradients_pass_straight_through(talk):
    t = talk("qat-2")
    network = t.cloud.network()
    network.bits.fill_(2)
    out = network.rounded()
    assert all(torch.equal(o, quantize(w, 2)) for o, w in zip(out, network.weights, strict=True))
    (grad,) = torch.autograd.grad((out[0] * 3.0).sum(), network.weights[0])
    assert torch.equal(grad, torch.full_like(grad, 3.0))


def test_training_changes_weights_only_with_tuning(talk):
    fp32, still, tuned = talk("fp32"), talk("static-mixed", {"tuning": False}), talk("static-mixed")
    assert torch.equal(still.state["weights.0"], fp32.state["weights.0"])
    assert not torch.equal(tuned.state["weights.0"], fp32.state["weights.0"])


@pytest.mark.parametrize("bits", [2.0, 3.0, 5.0, 8.0])
def test_a_static_plan_holds_its_mean_and_prefers_where_rounding_hurts(talk, bits):
    shapes = talk("static-mixed").device.shapes
    random = torch.Generator().manual_seed(1)
    weights = [torch.randn(n.channels, n.fan_in, generator=random) for n in shapes.layers]
    weights[0][0] = 1.0  # one level is enough for a constant row
    plan = plan_of(shapes, weights, bits)
    fan_in = torch.cat([torch.full((n.channels,), n.fan_in) for n in shapes.layers])
    assert (plan * fan_in).sum() <= bits * shapes.weights
    if bits == 3.0:
        assert plan[0] == 2 and len(plan.unique()) > 1


def test_bits_go_where_rounding_costs_the_loss(talk):
    """By hand: a channel's cost is half of curvature times squared change, whatever its weights weigh."""
    t = talk("static-mixed", {"tuning": False})
    shapes = t.device.shapes
    random = torch.Generator().manual_seed(1)
    weights = [torch.randn(n.channels, n.fan_in, generator=random) for n in shapes.layers]
    curved = [torch.zeros_like(w) for w in weights]
    curved[2][3] = 1.0
    plan = plan_of(shapes, weights, 2.5, curved)
    place = shapes.layers[0].channels + shapes.layers[1].channels + 3
    assert plan[place] == 8 and (plan.sum() - 8 == 2 * (len(plan) - 1))
    network = t.cloud.network()
    network.load_state_dict({name: value for name, value in t.state.items() if not name.startswith("trained.")})
    measured = t.cloud.curvature(network, t.world.logs)
    assert all((c >= 0).all() and c.shape == w.shape for c, w in zip(measured, network.weights, strict=True)) and sum(
        c.sum() for c in measured
    )
    assert all(torch.equal(a, b) for a, b in zip(measured, t.cloud.curvature(network, t.world.logs), strict=True))


@pytest.mark.parametrize("name", ["qat-3", "qat-16"])
def test_widths_without_a_quantizer_are_refused(name):
    with pytest.raises(ScenarioError, match="qat-k comes with"):
        find(name)
