"""Caser: as a loop over filters says, one answer for a window wherever it stands, blind to padding, variance kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.config.model import BackboneConfig
from chordsim.nets import backbone, caser, footprint
from chordsim.nets.choice import Choice, build
from chordsim.nets.frozen import draw
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.quant.plan import gather
from chordsim.quant.quantizer import table

CONFIG = BackboneConfig(kind="caser", dim=12, window=4, vertical=3, horizontal=5, max_len=10)
SHAPES = shapes_of(CONFIG, 30)
NO_ROWS = torch.zeros(0, 12)
Case = tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]


@pytest.fixture
def case() -> Case:
    """Histories of every length from 1 to 10, their states in float64, and frozen weights."""
    made = torch.Generator().manual_seed(2)
    items = torch.randint(1, 31, (10, 10), generator=made)
    for row in range(10):
        items[row, : 9 - row] = 0
    item = torch.randn(31, 12, generator=made).double()
    item[0] = 0
    return items, caser.embed(items, item, NO_ROWS), [w.double() for w in draw(SHAPES.layers, 7)]


def loop(states: np.ndarray, weights: list[np.ndarray], config: BackboneConfig) -> np.ndarray:
    """The same network for the real items of one phone: filter by filter, place by place."""
    rows, d = config.window, config.dim
    image = np.zeros((rows, d))
    recent = states[-rows:]
    image[rows - len(recent) :] = recent
    answers = []
    for one in weights[0]:
        for column in range(d):
            answers.append(sum(one[r] * image[r, column] for r in range(rows)))
    for height in range(1, rows + 1):
        for one in weights[height]:
            places = []
            for top in range(rows - height + 1):
                total = 0.0
                for r in range(height):
                    for column in range(d):
                        total += one[r * d + column] * image[top + r, column]
                places.append(max(total, 0.0))
            answers.append(max(places))
    out = np.array([max(sum(w * a for w, a in zip(row, answers, strict=True)), 0.0) for row in weights[-1]])
    return (out - out.mean()) / math.sqrt(out.var() + 1e-5)


def test_forward_is_the_loop_over_filters(case: Case) -> None:
    items, states, weights = case
    got = caser.forward(items, states, weights, CONFIG)
    for row in range(10):
        real = states[row][items[row] > 0].numpy()
        assert np.allclose(got[row].numpy(), loop(real, [w.numpy() for w in weights], CONFIG), atol=1e-10)


@settings(max_examples=40)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(1, 4), st.integers(0, 9), st.integers(0, 2**31))
def test_every_position_is_the_last_one_of_the_history_that_ends_there(
    window: int, vertical: int, horizontal: int, pad: int, seed: int
) -> None:
    config = BackboneConfig(kind="caser", dim=8, window=window, vertical=vertical, horizontal=horizontal, max_len=10)
    layers = shapes_of(config, 30).layers
    made = torch.Generator().manual_seed(seed)
    items = torch.randint(1, 31, (3, 10), generator=made)
    items[0, :pad] = 0
    item = torch.randn(31, 8, generator=made).double()
    weights = [torch.randn(3, n.channels, n.fan_in, generator=made).double() for n in layers]
    every = backbone.forward(items, backbone.embed(items, item, NO_ROWS, config), weights, config, reads=items.shape[1])
    assert every.shape == (3, 10, 8)
    for end in range(1, 11):
        # As a phone holds it: the same number of places, zeros before the first item.
        history = torch.nn.functional.pad(items[:, :end], (10 - end, 0))
        alone = backbone.last_states(history, item, NO_ROWS, weights, config)
        assert torch.allclose(every[:, end - 1], alone, atol=1e-12)
    for reads in (1, 4, 9):
        some = backbone.forward(items, backbone.embed(items, item, NO_ROWS, config), weights, config, reads=reads)
        assert torch.allclose(some, every[:, -reads:], atol=1e-12)


def test_shared_weights_are_own_weights_that_are_all_the_same(case: Case) -> None:
    items, states, weights = case
    own = [w.expand(10, -1, -1) for w in weights]
    for reads in (None, 1, items.shape[1]):
        shared = caser.forward(items, states, weights, CONFIG, reads=reads)
        assert torch.allclose(caser.forward(items, states, own, CONFIG, reads=reads), shared, atol=1e-12)


def test_each_phone_with_its_own_weights_alone_is_the_batch(case: Case) -> None:
    items, states, _ = case
    own = [torch.randn(10, n.channels, n.fan_in, generator=torch.Generator().manual_seed(n.fan_in)).double() for n in SHAPES.layers]
    together = caser.forward(items, states, own, CONFIG)
    for row in range(10):
        alone = caser.forward(items[row : row + 1], states[row : row + 1], [w[row] for w in own], CONFIG)
        assert torch.allclose(alone[0], together[row], atol=1e-12)


def test_gathered_plans_give_what_built_weights_give(case: Case) -> None:
    items, states, weights = case
    tables = [table(w) for w in weights]
    codes = torch.randint(0, 4, (10, SHAPES.channels), generator=torch.Generator().manual_seed(3))
    gathered = gather(tables, codes, SHAPES.layers)
    parts = torch.split(codes, [n.channels for n in SHAPES.layers], 1)
    built = [build(rows, code) for rows, code in zip(tables, parts, strict=True)]
    assert torch.allclose(caser.forward(items, states, gathered, CONFIG), caser.forward(items, states, built, CONFIG), atol=1e-12)


def test_nothing_before_the_window_and_nothing_at_padding_matters(case: Case) -> None:
    items, states, weights = case
    expected = caser.forward(items, states, weights, CONFIG)
    dirty = torch.where((items > 0).unsqueeze(-1), states, torch.full_like(states, 9.0))
    dirty[:, : -CONFIG.window] = 7.0
    assert torch.allclose(caser.forward(items, dirty, weights, CONFIG), expected, atol=1e-12)
    dirty[:, -CONFIG.window] = 7.0
    long = items[:, -CONFIG.window] > 0
    changed = (caser.forward(items, dirty, weights, CONFIG) - expected).abs().amax(1) > 1e-6
    assert changed[long].all() and not changed[~long].any()
    short = slice(10 - 2, 10)
    assert torch.allclose(caser.forward(items[1:2, short], states[1:2, short], weights, CONFIG)[0], expected[1], atol=1e-12)


def test_no_position_sees_what_comes_after_it(case: Case) -> None:
    items, states, weights = case
    before = caser.forward(items, states, weights, CONFIG, reads=items.shape[1])
    changed = states.clone()
    changed[:, 6:] += 1
    after = caser.forward(items, changed, weights, CONFIG, reads=items.shape[1])
    assert torch.equal(after[:, :6], before[:, :6]) and not torch.allclose(after[9, 6:], before[9, 6:])


def test_an_empty_history_gives_numbers(case: Case) -> None:
    _, states, weights = case
    nothing = torch.zeros(1, 10, dtype=torch.int64)
    assert bool(torch.isfinite(caser.forward(nothing, torch.zeros_like(states[:1]), weights, CONFIG)).all())
    assert bool((caser.embed(nothing, torch.ones(31, 12), NO_ROWS) == 0).all())


def test_dropout_meets_the_answers_and_gradients_reach_every_weight(case: Case) -> None:
    items, states, weights = case
    seen = []

    def half(x: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(x.shape))
        return x * 0.5

    leaves = [w.clone().requires_grad_() for w in weights]
    caser.forward(items, states, leaves, CONFIG, reads=items.shape[1], dropout=half)[..., 0].sum().backward()
    assert seen == [(10, 10, SHAPES.layers[-1].fan_in)]
    assert all(w.grad is not None and bool((w.grad != 0).any()) for w in leaves)


def test_a_pruned_channel_still_learns(case: Case) -> None:
    """Where a ReLU had slope 0 at 0, no gradient would say that a channel without weights is worth some bits."""
    items, states, weights = case
    leaves = [w.clone() for w in weights]
    for n in range(1, len(leaves)):
        leaves[n][0] = 0
    for leaf in leaves:
        leaf.requires_grad_()
    (caser.forward(items, states, leaves, CONFIG, reads=10) * states).sum().backward()
    assert all(w.grad is not None and bool((w.grad[0] != 0).any()) for w in leaves)


def test_macs_are_those_of_the_products(case: Case) -> None:
    """Count every weight product of the last-only pass for one phone: rows in times weights."""
    items, states, weights = case
    seen = []

    class Counted(Choice):
        def product(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.shape[1] * self.rows[0].numel())
            return super().product(x)

    counted = [Counted(w.expand(4, -1, -1), torch.zeros(10, w.shape[0], dtype=torch.int64)) for w in weights]
    got = caser.forward(items, states, counted, CONFIG)
    assert torch.allclose(got, caser.forward(items, states, weights, CONFIG), atol=1e-12)
    assert seen == [n.channels * n.fan_in * n.positions for n in SHAPES.layers]
    assert footprint.dense_macs(SHAPES) == sum(seen) + 30 * CONFIG.dim
    seen.clear()
    caser.forward(items, states, counted, CONFIG, reads=items.shape[1])
    # Filters of a height also answer at places before the first item, which the closed form leaves out.
    extra = sum(n.channels * n.fan_in * (n.positions - 1) for n in SHAPES.layers[1:])
    assert caser.pass_macs(CONFIG) == sum(seen) - extra


def test_the_shape_of_the_paper_has_134_channels_and_a_plan_of_34_bytes() -> None:
    """Of the reference at d = 50, which is no multiple of 4: sizes are checked without validation."""
    published = BackboneConfig.model_construct(kind="caser", dim=50, window=5, vertical=4, horizontal=16, max_len=50)
    shapes = Shapes(published, 1682, caser.layers(published), 1682)
    assert [(n.channels, n.fan_in) for n in shapes.layers] == [(4, 5), *((16, 50 * h) for h in range(1, 6)), (50, 280)]
    assert (shapes.channels, shapes.plan_bytes, 4 * shapes.weights) == (134, 34, 104_080)


def test_there_are_no_position_embeddings_to_ship_or_hold() -> None:
    assert backbone.position_shape(CONFIG) == (0, 12)
    assert footprint.embedding_bytes(SHAPES) == 4 * 31 * 12


def test_footprints_grow_with_every_dimension() -> None:
    base = {"kind": "caser", "dim": 12, "window": 4, "vertical": 3, "horizontal": 5, "max_len": 10}
    for more in ({"window": 5}, {"vertical": 4}, {"horizontal": 6}, {"dim": 16}):
        larger = shapes_of(BackboneConfig(**{**base, **more}), 30)
        assert footprint.dense_peak_bytes(larger) > footprint.dense_peak_bytes(SHAPES)
        assert footprint.dense_macs(larger) > footprint.dense_macs(SHAPES)
        assert caser.kept_numbers(larger.backbone) > caser.kept_numbers(CONFIG)


def test_random_filters_keep_the_mean_square_of_full_windows() -> None:
    """What the last layer reads is as large as the embeddings are, whatever the height of the filter."""
    config = BackboneConfig(kind="caser", dim=64, window=5, vertical=32, horizontal=64, max_len=5)
    layers = shapes_of(config, 10).layers
    weights = draw(layers, 3)
    states = torch.randn(400, 5, 64, generator=torch.Generator().manual_seed(1))
    heard: list[torch.Tensor] = []
    caser.forward(torch.ones(400, 5, dtype=torch.int64), states, weights, config, dropout=lambda x: heard.append(x) or x)
    parts = torch.split(heard[0], [32 * 64, *[64] * 5], -1)
    assert all(0.85 < float(part.square().mean()) < 1.15 for part in parts)


@pytest.mark.parametrize("places", [1, 2, 3, 8])
def test_the_gain_makes_up_for_relu_and_maximum(places: int) -> None:
    drawn = torch.randn(400_000, places, generator=torch.Generator().manual_seed(places)).amax(1).clamp_min(0)
    assert caser.pooled_gain(places) == pytest.approx(1 / float(drawn.square().mean()), abs=0.02)
