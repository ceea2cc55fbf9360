"""`otaro`: truncation is the published formula, nests, and each phone takes the widest width that fits."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chordsim.methods import UP_REPORT
from chordsim.methods.otaro import net as sefp
from chordsim.methods.otaro.spec import width_cost
from chordsim.progress import Silent


def reference(group: list[float], bits: int) -> list[float]:
    """Shift every mantissa right to the group's largest exponent and drop what does not fit bits - 1 places."""
    largest = max(abs(w) for w in group)
    if largest == 0:
        return [0.0] * len(group)
    step = 2.0 ** (math.floor(math.log2(largest)) - (bits - 2))
    return [math.copysign(math.floor(abs(w) / step) * step, w) for w in group]


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_truncation_is_the_reference_formula(bits):
    weights = torch.randn(5, 150, generator=torch.Generator().manual_seed(bits)) * 0.1
    got = sefp.truncate(weights, bits)
    for row, out in zip(weights.tolist(), got.tolist(), strict=True):
        for at in range(0, 150, sefp.GROUP):
            assert np.allclose(out[at : at + sefp.GROUP], reference(row[at : at + sefp.GROUP], bits), atol=0, rtol=1e-6)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=80), st.integers(2, 8), st.integers(2, 8))
def test_dropping_bits_twice_is_dropping_them_once(values, a, b):
    weights = torch.tensor([values])
    mantissas, exponents = sefp.encode(weights)
    assert torch.equal(sefp.decode(mantissas, exponents, min(a, b)), sefp.truncate(weights, min(a, b)))
    if a >= b:
        assert (sefp.truncate(weights, b).abs() <= sefp.truncate(weights, a).abs()).all()


def test_each_phone_takes_the_widest_width_that_fits(talk):
    t = talk("otaro")
    t.exchange()
    needed = [int(width_cost(t.context, np.array([b])).peak_memory_bytes[0]) for b in (2, 3, 4, 8)]
    assert needed == sorted(set(needed))
    memory = np.array([*needed, needed[0] - 1, 10**9, 10**9, 10**9])
    bits = np.array([32.0, 32.0, 32.0, 32.0, 32.0, 3.5, 8.0, 2.0])
    who = replace(t.who, budgets=replace(t.who.budgets, memory_bytes=memory, bits=bits))
    turn = t.act(UP_REPORT, who, t.history, None)
    assert turn.bits.tolist() == [2, 3, 4, 8, 2, 3, 8, 2]
    assert turn.refusal.tolist() == [0, 0, 0, 0, 1, 0, 0, 0]


def test_late_gradients_arrive_as_their_mean(talk):
    t = talk("otaro", {"widths": [2], "late": 2})
    network = t.cloud.network()
    grads = []
    for scale in (1.0, 3.0):
        network.choose()
        network.zero_grad(set_to_none=True)
        (network.truncated(2)[0].sum() * scale).backward()
        grads.append(network.weights[0].grad)
    assert grads[0] is None and torch.allclose(grads[1], torch.full_like(grads[1], 2.0))


def test_embeddings_wait_like_weights(talk):
    network = talk("otaro", {"widths": [2], "late": 2}).cloud.network()
    grads = []
    for scale in (1.0, 3.0):
        network.choose()
        network.zero_grad(set_to_none=True)
        ((network.item.sum() + network.position.sum()) * scale).backward()
        grads.append((network.item.grad, network.position.grad))
    assert grads[0] == (None, None)
    assert all(torch.allclose(grad, torch.full_like(grad, 2.0)) for grad in grads[1])


def test_no_width_takes_all_steps_because_its_gradients_are_larger(talk):
    """Norms that double with every width that is dropped, as they do in training, leave every width half of its even share."""
    widths = [2, 3, 4, 8]
    network = talk("otaro", {"widths": widths}).cloud.network()
    made = np.random.default_rng(3)
    for _ in range(400):
        width = network.choose()
        network.norm = float((2.0 ** (8 - width) * made.uniform(0.8, 1.2)) ** 2)
    assert sum(network.tries) == 400 and min(network.tries) >= 400 * 0.5 / 4 - 1
    assert max(network.tries) <= 200
    assert {name: int(n) for name, n in network.watched().items()} == {
        f"steps_at_{b}_bits": n for b, n in zip(widths, network.tries, strict=True)
    }


def test_training_tells_the_validation_of_every_width(talk):
    """At the last step's state, which is the one that was kept: widths differ, and each is that of a model which knows no other."""
    t = talk("otaro", {"widths": [2, 8]})
    network = t.cloud.network()
    t.cloud.start(network, t.world.logs, Silent())
    told = network.watched()
    assert network.held is None and {"validation_at_2_bits", "validation_at_8_bits"} < set(told)
    for bits in (2, 8):
        alone = talk("otaro", {"widths": [bits]}).cloud.network()
        alone.load_state_dict(network.state_dict())
        assert float(told[f"validation_at_{bits}_bits"]) == pytest.approx(network.score(alone))
    assert len(t.state["trained.curve.validation_at_8_bits"]) == len(t.state["trained.curve.step"])
