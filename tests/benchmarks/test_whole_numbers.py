"""Products of whole numbers are exact whatever the order of sums, and near the products that they stand for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.kernels.whole_numbers import Levels, case, states  # noqa: E402
from chordsim.config.model import BackboneConfig  # noqa: E402


def test_any_order_of_inputs_gives_the_same_bits() -> None:
    made = torch.Generator().manual_seed(3)
    layer, x = Levels.of(torch.randn(24, 40, generator=made)), torch.randn(20, 5, 40, generator=made)
    order = torch.randperm(40, generator=made)
    assert torch.equal(layer.product(x), replace(layer, levels=layer.levels[order].contiguous()).product(x[..., order]))
    exact = x @ layer.weight.T
    assert (layer.product(x) - exact).abs().max() < 0.03 * exact.abs().max()


def test_a_pass_is_near_that_of_float32() -> None:
    config = BackboneConfig(dim=32, ffn_dim=32, max_len=10)
    given, whole, plain = case(config)
    apart = (states(given, whole, config) - states(given, plain, config)).abs()
    assert 0 < apart.max() < 0.5 and apart.mean() < 0.05
