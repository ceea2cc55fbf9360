"""SASRec: causal, blind to padding, exact where it computes less, the same for shared and own weights, and as a loop says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from chordsim.config.model import BackboneConfig
from chordsim.nets import sasrec
from chordsim.nets.choice import Choice
from chordsim.nets.frozen import BackboneMismatch, draw, draw_checked, fingerprint, masked
from chordsim.nets.shapes import shapes_of

CONFIG = BackboneConfig(dim=16, ffn_dim=24, blocks=2, heads=2, max_len=10)
SHAPES = shapes_of(CONFIG, 30)


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Histories of every length, their states in float64, and frozen weights."""
    made = torch.Generator().manual_seed(2)
    items = torch.randint(1, 31, (10, 10), generator=made)
    for row in range(10):
        items[row, : 9 - row] = 0
    table, position = torch.randn(31, 16, generator=made).double(), torch.randn(10, 16, generator=made).double()
    table[0] = 0
    return items, sasrec.embed(items, table, position), [w.double() for w in draw(SHAPES.layers, 7)]


def loop(items: list[int], states: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """The same network for one phone, position by position: pre-LN, softmax attention, residuals."""

    def norm(x: np.ndarray) -> np.ndarray:
        return (x - x.mean()) / math.sqrt(x.var() + 1e-5)

    real = [n for n, item in enumerate(items) if item > 0]
    x = {n: states[n] for n in real}
    half = CONFIG.dim // CONFIG.heads
    for b in range(CONFIG.blocks):
        q, k, v, o, up, down = weights[6 * b : 6 * b + 6]
        out = {}
        for n in real:
            mixed = np.zeros(CONFIG.dim)
            for h in range(CONFIG.heads):
                part = slice(h * half, (h + 1) * half)
                past = [m for m in real if m <= n]
                logit = np.array([(q @ norm(x[n]))[part] @ (k @ norm(x[m]))[part] / math.sqrt(half) for m in past])
                share = np.exp(logit - logit.max())
                mixed[part] = sum(s * (v @ norm(x[m]))[part] for s, m in zip(share / share.sum(), past, strict=True))
            y = x[n] + o @ mixed
            out[n] = y + down @ np.maximum(up @ norm(y), 0)
        x = out
    return norm(x[real[-1]])


def test_forward_is_the_loop_over_positions(case: tuple) -> None:
    items, states, weights = case
    got = sasrec.forward(items, states, weights, CONFIG)
    for row in range(10):
        expected = loop(items[row].tolist(), states[row].numpy(), [w.numpy() for w in weights])
        assert np.allclose(got[row].numpy(), expected, atol=1e-9)


def test_computing_the_last_position_only_changes_nothing(case: tuple) -> None:
    items, states, weights = case
    full = sasrec.forward(items, states, weights, CONFIG, reads=items.shape[1])
    assert torch.allclose(sasrec.forward(items, states, weights, CONFIG), full[:, -1], atol=1e-12)
    assert torch.allclose(sasrec.forward(items, states, weights, CONFIG, reads=3), full[:, -3:], atol=1e-12)


def test_own_weights_that_are_equal_give_what_shared_weights_give(case: tuple) -> None:
    items, states, weights = case
    shared = sasrec.forward(items, states, weights, CONFIG)
    own = [w.expand(10, -1, -1).contiguous() for w in weights]
    assert torch.allclose(sasrec.forward(items, states, own, CONFIG), shared, atol=1e-12)


def test_each_phones_own_weights_reach_that_phone_alone(case: tuple) -> None:
    items, states, weights = case
    own = [w.expand(10, -1, -1) * torch.linspace(0.5, 1.5, 10).double()[:, None, None] for w in weights]
    together = sasrec.forward(items, states, own, CONFIG)
    for row in range(10):
        alone = sasrec.forward(items[row : row + 1], states[row : row + 1], [w[row] for w in own], CONFIG)
        assert torch.allclose(alone[0], together[row], atol=1e-12)


def test_no_position_sees_what_comes_after_it(case: tuple) -> None:
    items, states, weights = case
    before = sasrec.forward(items[9:], states[9:], weights, CONFIG, reads=items.shape[1])
    for place in range(1, 10):
        changed = states[9:].clone()
        changed[:, place:] = changed[:, place:].flip(-1)
        after = sasrec.forward(items[9:], changed, weights, CONFIG, reads=items.shape[1])
        assert torch.allclose(after[:, :place], before[:, :place], atol=1e-12)
        assert not torch.allclose(after[:, place], before[:, place])


def test_padding_holds_nothing_and_its_length_does_not_matter(case: tuple) -> None:
    items, states, weights = case
    expected = sasrec.forward(items, states, weights, CONFIG)
    dirty = torch.where((items > 0).unsqueeze(-1), states, 100.0)
    assert torch.allclose(sasrec.forward(items, dirty, weights, CONFIG), expected, atol=1e-12)
    for row in range(9):
        cut = slice(9 - row, None)
        short = sasrec.forward(items[row : row + 1, cut], states[row : row + 1, cut], weights, CONFIG)
        assert torch.allclose(short[0], expected[row], atol=1e-12)


def test_an_empty_history_gives_numbers(case: tuple) -> None:
    _, states, weights = case
    nothing = torch.zeros(1, 10, dtype=torch.int64)
    assert bool(torch.isfinite(sasrec.forward(nothing, torch.zeros_like(states[:1]), weights, CONFIG)).all())
    assert bool((sasrec.embed(nothing, torch.ones(31, 16), torch.ones(10, 16)) == 0).all())


def test_macs_are_those_of_the_products(case: tuple) -> None:
    """Count every weight product of the last-only pass for one phone: rows in times weights."""
    items, states, weights = case
    seen = []

    class Counted(Choice):
        def product(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.shape[1] * self.rows[0].numel())
            return super().product(x)

    counted = [Counted(w.expand(4, -1, -1), torch.zeros(10, w.shape[0], dtype=torch.int64)) for w in weights]
    got = sasrec.forward(items, states, counted, CONFIG)
    assert torch.allclose(got, sasrec.forward(items, states, weights, CONFIG), atol=1e-12)
    assert seen == [n.channels * n.fan_in * n.positions for n in SHAPES.layers]


def test_the_default_backbone_has_768_channels_and_a_plan_of_192_bytes() -> None:
    shapes = shapes_of(BackboneConfig(), 1682)
    assert shapes.channels == 768 and shapes.plan_bytes == 192 and shapes.weights == 768 * 64


def test_the_backbone_is_drawn_from_the_seed_alone_and_checked() -> None:
    first = draw(SHAPES.layers, 7)
    torch.manual_seed(99)
    assert all(torch.equal(a, b) for a, b in zip(first, draw(SHAPES.layers, 7), strict=True))
    assert fingerprint(draw(SHAPES.layers, 8)) != fingerprint(first)
    wide = shapes_of(BackboneConfig(dim=16, ffn_dim=48, max_len=10), 30)
    assert torch.equal(draw(wide.layers, 7)[0], first[0])
    for layer, weight in zip(SHAPES.layers, first, strict=True):
        assert abs(float(weight.var()) * layer.fan_in / layer.gain - 1) < 0.3
    assert draw_checked(SHAPES.layers, 7, fingerprint(first))
    with pytest.raises(BackboneMismatch):
        draw_checked(SHAPES.layers, 8, fingerprint(first))


def test_a_mask_keeps_the_variance() -> None:
    weight = torch.randn(400, 400, generator=torch.Generator().manual_seed(1))
    mask = (torch.rand(400, 400, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    under = masked(weight, mask, 0.5)
    assert abs(float(under.var()) - 1) < 0.02 and bool((under[mask == 0] == 0).all())
