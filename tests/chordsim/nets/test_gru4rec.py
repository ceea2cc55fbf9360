"""GRU4Rec: as a loop over steps and numbers says, every position the last of its own history, blind to padding."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from chordsim.config.model import BackboneConfig
from chordsim.nets import backbone, footprint, gru4rec
from chordsim.nets.frozen import draw
from chordsim.nets.shapes import shapes_of
from chordsim.quant.plan import gather
from chordsim.quant.quantizer import table

CONFIG = BackboneConfig(kind="gru4rec", dim=8, max_len=10, settings={"layers": 2})
SHAPES = shapes_of(CONFIG, 30)
NO_ROWS = torch.zeros(0, 8)
Case = tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]


@pytest.fixture
def case() -> Case:
    """Histories of every length from 1 to 10, their states in float64, and frozen weights."""
    made = torch.Generator().manual_seed(2)
    items = torch.randint(1, 31, (10, 10), generator=made)
    for row in range(10):
        items[row, : 9 - row] = 0
    item = torch.randn(31, 8, generator=made).double()
    return items, gru4rec.embed(items, item, NO_ROWS), [w.double() for w in draw(SHAPES.layers, 7)]


def loop(states: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """The same network for the real items of one phone, number by number."""

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    for level in range(len(weights) // 6):
        reset_in, update_in, new_in, reset_own, update_own, new_own = weights[6 * level : 6 * level + 6]
        state, after = np.zeros(states.shape[1]), []
        for given in states:
            reached = np.zeros_like(state)
            for n in range(state.size):
                reset = sigmoid(reset_in[n] @ given + reset_own[n] @ state)
                update = sigmoid(update_in[n] @ given + update_own[n] @ state)
                new = math.tanh(new_in[n] @ given + reset * (new_own[n] @ state))
                reached[n] = (1 - update) * new + update * state[n]
            state = reached
            after.append(state)
        states = np.array(after)
    out: np.ndarray = (states[-1] - states[-1].mean()) / math.sqrt(states[-1].var() + 1e-5)
    return out


def test_forward_is_the_loop_over_steps(case: Case) -> None:
    items, states, weights = case
    got = gru4rec.forward(items, states, weights, CONFIG)
    for row in range(10):
        real = states[row][items[row] > 0].numpy()
        assert np.allclose(got[row].numpy(), loop(real, [w.numpy() for w in weights]), atol=1e-10)


def test_every_position_is_the_last_one_of_the_history_that_ends_there(case: Case) -> None:
    items, states, weights = case
    every = backbone.forward(items, states, weights, CONFIG, reads=10)
    for end in range(1, 11):
        history = torch.nn.functional.pad(items[:, :end], (10 - end, 0))
        before = torch.nn.functional.pad(states[:, :end], (0, 0, 10 - end, 0))
        assert torch.allclose(every[:, end - 1], backbone.forward(history, before, weights, CONFIG), atol=1e-12)
    assert torch.allclose(backbone.forward(items, states, weights, CONFIG, reads=4), every[:, -4:], atol=1e-12)


def test_what_lies_at_padding_does_not_matter(case: Case) -> None:
    items, states, weights = case
    dirty = torch.where((items > 0).unsqueeze(-1), states, torch.full_like(states, 9.0))
    assert torch.equal(gru4rec.forward(items, dirty, weights, CONFIG), gru4rec.forward(items, states, weights, CONFIG))


def test_phones_with_weights_and_plans_of_their_own_are_each_phone_alone(case: Case) -> None:
    items, states, weights = case
    codes = torch.randint(0, 4, (10, SHAPES.channels), generator=torch.Generator().manual_seed(3))
    tables = [table(w) for w in weights]
    together = gru4rec.forward(items, states, gather(tables, codes, SHAPES.layers), CONFIG)
    for row in range(10):
        parts = torch.split(codes[row], [n.channels for n in SHAPES.layers])
        own = [rows[code, torch.arange(code.numel())] for rows, code in zip(tables, parts, strict=True)]
        alone = gru4rec.forward(items[row : row + 1], states[row : row + 1], own, CONFIG)
        assert torch.allclose(alone[0], together[row], atol=1e-12)


def test_closed_forms_count_the_loop() -> None:
    d, n, levels = 8, 10, 2
    assert SHAPES.weights == levels * 6 * d * d and SHAPES.channels == levels * 6 * d
    assert footprint.dense_macs(SHAPES) == levels * n * (6 * d * d + 3 * d) + 30 * d
    assert backbone.position_shape(CONFIG) == (0, d)
