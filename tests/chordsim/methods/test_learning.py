"""Training on phones: together as alone, and the average is FedAvg's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from chordsim.methods import UP_REPORT, UP_UPDATE, Batch, History
from chordsim.nets import sasrec
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from clients import learning


@pytest.mark.parametrize("row", [0, 3])
def test_a_chunk_learns_what_each_phone_learns_alone(talk, row):
    t = talk("finetune")
    t.exchange()
    together = t.device.learn(t.model, t.history)
    alone = t.device.learn(t.model, History(t.history.items[row : row + 1], t.history.lengths[row : row + 1]))
    assert any(not torch.allclose(w, m) for w, m in zip(alone, t.model.weights, strict=True))
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a[row], b[0], atol=1e-5)


def test_one_step_is_plain_gradient_descent(talk):
    t = talk("finetune", {"steps": 1, "rate": 0.01})
    t.exchange()
    weights = [w.clone().requires_grad_() for w in t.model.weights]
    items = torch.from_numpy(t.history.items[:1])
    inputs = torch.cat([torch.zeros(1, 1, dtype=torch.int64), items[:, :-1]], 1)
    embedded = sasrec.embed(inputs, t.model.item, t.model.position)
    states = sasrec.forward(inputs, embedded, weights, t.context.backbone, reads=inputs.shape[1])
    logits = (states @ t.model.item.T)[0, -10:]
    logits[:, 0] = -torch.inf
    targets = torch.where(inputs > 0, items, 0)[0, -10:]
    loss = torch.nn.functional.cross_entropy(logits[targets > 0], targets[targets > 0])
    grads = torch.autograd.grad(loss, weights)
    norm = torch.sqrt(sum(g.square().sum() for g in grads))
    for w, g, own in zip(t.model.weights, grads, t.device.learn(t.model, t.history), strict=True):
        assert torch.allclose(own[0], w - 0.01 * g / norm.clamp_min(1.0), atol=1e-6)


def test_learning_lowers_a_phones_own_loss(talk):
    t = talk("finetune", {"steps": 20})
    t.exchange()
    inputs, targets = learning.lessons(t.history, 10)
    embedded = sasrec.embed(inputs, t.model.item, t.model.position)

    def loss(weights):
        states = sasrec.forward(inputs, embedded, weights, t.context.backbone, reads=inputs.shape[1])
        return learning.own_losses(states[:, -10:], t.model.item, targets)

    own = t.device.learn(t.model, t.history)
    with torch.no_grad():
        before, after = loss(t.model.weights), loss(own)
    assert (after < before).all()


@pytest.mark.parametrize("name", ["finetune", "fedavg", "dccl"])
def test_training_costs_operations_memory_and_time(talk, name):
    t = talk(name)
    turns = [turn for _, turn, _ in t.exchange().values()]
    spent = sum(turn.cost.train_macs for turn in turns)
    plain = talk("fp32")
    needed = max(turn.cost.peak_memory_bytes.max() for turn in turns)
    assert (spent > 0).all() and needed > plain.device.cost(1).peak_memory_bytes[0]


def test_the_average_is_fedavg_by_hand(talk):
    t = talk("fedavg")
    count = t.device.shapes.weights
    random = np.random.default_rng(0)
    shared = np.concatenate([t.state[f"weights.{n}"].numpy().reshape(-1) for n in range(len(t.device.shapes.layers))])
    # Within what honest steps can do; what is further away is clipped.
    values = (shared + random.normal(scale=1e-3, size=(4, count))).astype(np.float32)
    examples = np.array([[3.0], [1.0], [2.0], [9.0]], np.float32)
    payload = Ragged.of_matrix(pack_floats(np.concatenate([values, examples], 1)))
    who = Batch(np.arange(4), np.array([True, True, True, False]), 1)
    got = t.cloud.learn(t.state, [(who, payload)])
    mean = (3 * values[0] + values[1] + 2 * values[2]) / 6
    flat = np.concatenate([got[f"weights.{n}"].numpy().reshape(-1) for n in range(len(t.device.shapes.layers))])
    assert np.allclose(flat, mean, atol=1e-6)
    assert torch.equal(got["item"], t.state["item"])


def test_no_update_changes_nothing(talk):
    t = talk("fedavg")
    who = Batch(np.arange(2), np.array([True, True]), 1)
    assert t.cloud.learn(t.state, [(who, Ragged.of_rows([b"", b"xyz"]))]) is t.state


def test_a_phone_that_cannot_train_sends_no_weights(talk):
    t = talk("fedavg")
    legs = t.exchange(replace(t.who, budgets=replace(t.who.budgets, memory_bytes=np.full(len(t.who), 1))))
    assert legs[UP_UPDATE][0].data.size == 0 and (legs[UP_REPORT][1].refusal > 0).all()


def test_fedavg_may_start_from_a_model_that_has_not_converged(talk):
    begun, whole = talk("fedavg", {"start_steps": 1}), talk("fedavg")
    assert (int(begun.state["trained.steps"]), int(whole.state["trained.steps"])) == (1, 3)
    assert not torch.equal(begun.state["weights.0"], whole.state["weights.0"])
    assert all(torch.equal(w, begun.state[f"weights.{n}"]) for n, w in enumerate(begun.device.load(begun.blobs()).weights))
