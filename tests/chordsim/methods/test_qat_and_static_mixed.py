"""`qat-k` and `static-mixed`: what phones run is what was trained, at the widths asked for."""

import math

import numpy as np
import pytest
import torch

from chordsim.errors import ScenarioError
from chordsim.methods import UP_REPORT, find
from chordsim.methods.static_mixed.cloud import plan_of
from chordsim.progress import Silent
from chordsim.quant import learnt_steps
from chordsim.quant.quantizer import quantize

#: Options of the conventional quantizers: learnt steps, rounded inputs, both.
OPTIONS = [
    *((name, {}) for name in ("qat-2", "qat-4", "static-mixed")),
    ("qat-2", {"steps": "learnt"}),
    ("qat-4", {"steps": "learnt", "activation_bits": 4}),
    ("static-mixed", {"activation_bits": 8}),
    ("frozen-3", {"activation_bits": 4}),
]


@pytest.mark.parametrize(("name", "settings"), OPTIONS)
def test_phone_and_cloud_agree(talk, name, settings):
    t = talk(name, settings)
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


def test_learnt_steps_start_where_least_is_lost_and_are_trained_with_the_rest(talk):
    t, fp32 = talk("qat-4", {"steps": "learnt"}), talk("fp32")
    network = t.cloud.network()
    started = t.cloud.start(network, t.world.logs, Silent())
    assert {"steps.0", "weights.0", "item"} <= started, "steps follow from trained weights, so they move as slowly"
    assert all(torch.equal(w, quantize(fp32.state[f"weights.{n}"], 4)) for n, w in enumerate(network.rounded()))
    steps = [t.state[f"steps.{n}"] for n in range(len(network.weights))]
    trained = {id(p) for group in network.groups(0.1, 0.1) for p in group["params"]}
    assert all((step > 0).all() for step in steps) and all(id(step) in trained for step in network.steps)
    t.exchange()
    stored = [w / step for w, step in zip(t.model.weights, steps, strict=True)]
    assert all(torch.allclose(levels, levels.round(), atol=1e-4) and levels.abs().max() <= 7.001 for levels in stored)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_steps_get_the_gradient_of_the_paper(bits):
    """LSQ's equations (Esser et al. 2020), element by element."""
    random = torch.Generator().manual_seed(bits)
    weights, steps = torch.randn(3, 40, generator=random, requires_grad=True), torch.tensor([[0.05], [0.4], [3.0]], requires_grad=True)
    given, most = torch.randn(3, 40, generator=random), 2 ** (bits - 1) - 1
    out = learnt_steps.learnt(weights, steps, bits)
    of_weights, of_steps = torch.autograd.grad((out * given).sum(), [weights, steps])
    for row in range(3):
        total, s = 0.0, steps[row, 0].item()
        for w, g, back, value in zip(*(x[row].tolist() for x in (weights, given, of_weights, out)), strict=True):
            inside = abs(w / s) < most
            level = round(w / s) if inside else math.copysign(most, w)
            assert value == pytest.approx(level * s, abs=1e-5) and back == pytest.approx(g if inside else 0, abs=1e-5)
            total += g * (level - w / s if inside else level)
        assert of_steps[row, 0].item() == pytest.approx(total / math.sqrt(40 * most), rel=1e-3, abs=1e-4)


def test_rounded_activations_cost_fewer_operations_of_one_bit(talk):
    plain, narrow = (talk("qat-2", {"activation_bits": bits}).device.cost(1) for bits in (32, 8))
    assert narrow.bitops[0] < plain.bitops[0] and narrow.macs[0] == plain.macs[0] and narrow.model_bytes[0] == plain.model_bytes[0]
    assert talk("uniform-2", {"activation_bits": 8}).device.portable({}) is None, "a phone runtime would compute something else"


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


def test_without_tuning_rows_by_frequency_have_the_widths_of_the_reference(talk):
    t = talk("static-mixed", {"tuning": False, "sensitivity": "error"}, embedding_bits="by-frequency")
    fp32 = talk("fp32", embedding_bits="by-frequency")
    assert torch.equal(t.state["trained.widths"], fp32.state["trained.widths"])
    assert not t.exchange()[UP_REPORT].device.refusal[t.who.active].any()


@pytest.mark.parametrize("name", ["qat-3", "qat-16"])
def test_widths_without_a_quantizer_are_refused(name):
    with pytest.raises(ScenarioError, match="qat-k comes with"):
        find(name)
