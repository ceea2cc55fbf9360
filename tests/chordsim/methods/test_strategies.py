"""`fedavg` with Flower's strategies: the same average, moments that outlive a checkpoint, options held to what is taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chordsim.errors import ScenarioError
from chordsim.methods import Batch
from chordsim.methods.fedavg.spec import STRATEGIES
from chordsim.methods.fedavg.strategies import check
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.wire.floats import pack_floats


def updates(t, seed=0):
    """Return what four phones send, of whom the last is out, as the cloud gets it."""
    shared = flat(t.state, t)
    values = (shared + np.random.default_rng(seed).normal(scale=1e-3, size=(4, shared.size))).astype(np.float32)
    examples = np.array([[3.0], [1.0], [2.0], [9.0]], np.float32)
    return values, Ragged.of_matrix(pack_floats(np.concatenate([values, examples], 1)))


def flat(state, t):
    return np.concatenate([state[f"weights.{n}"].numpy().reshape(-1) for n in range(len(t.device.shapes.layers))])


def learn(t, state, round=1, seed=0):
    who = Batch(np.arange(4), np.array([True, True, True, False]), round)
    return t.cloud.learn(state, [(who, updates(t, seed)[1])])


def test_flowers_fedavg_is_ours(talk):
    ours, flowers = talk("fedavg"), talk("fedavg", {"strategy": "FedAvg"})
    assert np.allclose(flat(learn(ours, ours.state), ours), flat(learn(flowers, flowers.state), flowers), atol=1e-7)


def test_the_median_is_numpys(talk):
    t = talk("fedavg", {"strategy": "FedMedian"})
    assert np.allclose(flat(learn(t, t.state), t), np.median(updates(t)[0][:3], axis=0), atol=1e-7)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "average"])
def test_every_strategy_learns_and_ships_only_weights(talk, name):
    t = talk("fedavg", {"strategy": name})
    state = learn(t, t.state)
    assert not np.array_equal(flat(state, t), flat(t.state, t)) and all(torch.isfinite(v).all() for v in state.values())
    assert [len(blob.data) for blob in t.cloud.bootstrap(state)] == [len(blob.data) for blob in t.cloud.bootstrap(t.state)]


def test_moments_are_state_and_adam_is_adam(talk):
    eta, beta_1, beta_2, tau = 0.01, 0.9, 0.99, 1e-3
    t = talk("fedavg", {"strategy": "FedAdam", "strategy_options": {"eta": eta}})
    average = talk("fedavg")
    weights, m, v, state = flat(t.state, t).astype(np.float64), 0.0, 0.0, t.state
    for round in (1, 2, 3):
        delta = flat(learn(average, state, round, seed=round), t) - flat(state, t)
        m, v = beta_1 * m + (1 - beta_1) * delta, beta_2 * v + (1 - beta_2) * delta**2
        step = eta * np.sqrt(1 - beta_2 ** (round + 1)) / (1 - beta_1 ** (round + 1))
        weights = weights + step * m / (np.sqrt(v) + tau)
        # Only what a checkpoint keeps goes from one round to the next.
        state = {name: value.clone() for name, value in learn(t, state, round, seed=round).items()}
        assert np.allclose(flat(state, t), weights, atol=1e-5)
    assert {name.split(".")[1] for name in state if name.startswith("strategy.")} == {"m_t", "v_t"}


def test_an_older_update_is_the_same_steps_from_the_weights_in_force(talk):
    t = talk("fedavg")
    state = learn(t, t.state)
    ends = t.cloud.basis(t.state), t.cloud.basis(state)
    values, sent = updates(t)
    again = np.stack([np.frombuffer(row, "<f4") for row in t.cloud.rebased(sent, *ends, 0.5)])
    assert np.allclose(again[:, :-1] - flat(state, t), values - flat(t.state, t), atol=1e-6)
    assert again[:, -1].tolist() == [1.5, 0.5, 1.0, 4.5]
    nonsense = Ragged.of_rows([b"short", sent[1]])
    assert [len(row) for row in t.cloud.rebased(nonsense, *ends, 0.5)] == [0, len(sent[1])]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ('settings.fedavg.strategy="FedAdm"', "settings.fedavg.strategy: must be"),
        ('settings.fedavg.strategy="FedProx"', "settings.fedavg.strategy: must be"),
        ("settings.fedavg.strategy_options.eta=0.1", 'not with "average"'),
    ],
)
def test_what_no_strategy_takes_is_refused(override, words):
    with pytest.raises(ScenarioError, match=words):
        load("offline", ['methods=["fedavg"]', override])


def test_options_are_held_to_the_constructor():
    check("FedAdam", {"eta": 0.1, "tau": 1e-3})
    load("offline", ['methods=["fedavg"]', 'settings.fedavg.strategy="FedAvgM"', "settings.fedavg.strategy_options.server_momentum=0.9"])
    for name, options, words in (
        ("FedAdam", {"etta": 0.1}, "did you mean|eta"),
        ("FedAdam", {"eta": "x"}, "must be a number"),
        ("Krum", {"num_malicious_nodes": 0.5}, "must be an integer"),
        ("FedAvg", {"fraction_train": 0.5}, "takes none"),
    ):
        with pytest.raises(ScenarioError, match=words):
            check(name, options)
