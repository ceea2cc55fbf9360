"""Gradients of the straight-through steps against what autograd makes of their definitions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.nets.choice import FEW, linear
from chordsim.nets.layers import Layer
from chordsim.quant.quantizer import table
from chordsim.quant.straight_through import mask_of, straight_through, straight_through_table


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


LAYERS = (Layer("a", 5, 4, 1.0, 3), Layer("b", 3, 6, 1.0, 3))


def test_building_gives_hard_rows_forward_and_the_soft_sums_gradient_backward() -> None:
    """Backward as if weights were sum_k chance_k row_k; rows get the gradient of the code that was used."""
    chances = torch.softmax(torch.randn(4, 7, 8, generator=generator(), dtype=torch.float64), 0).requires_grad_()
    tables = [torch.randn(4, n.channels, n.fan_in, generator=generator(n.fan_in), dtype=torch.float64).requires_grad_() for n in LAYERS]
    codes = torch.randint(4, (7, 8), generator=generator(4))
    built = [weight.built for weight in straight_through(chances, tables, codes, LAYERS)]
    upstream = [torch.randn(w.shape, generator=generator(9), dtype=torch.float64) for w in built]
    found = torch.autograd.grad(built, [chances, *tables], upstream)

    def soft() -> list[Tensor]:
        parts = chances.split([5, 3], 2)
        return [torch.einsum("kdc,kcf->dcf", chance, rows.detach()) for chance, rows in zip(parts, tables, strict=True)]

    def hard() -> list[Tensor]:
        used = F.one_hot(codes, 4).double().split([5, 3], 1)
        return [torch.einsum("dck,kcf->dcf", one, rows) for one, rows in zip(used, tables, strict=True)]

    assert all(torch.equal(a, b) for a, b in zip(built, hard(), strict=True))
    assert torch.allclose(found[0], torch.autograd.grad(soft(), chances, upstream)[0], atol=1e-12)
    for got, wanted in zip(found[1:], torch.autograd.grad(hard(), tables, upstream), strict=True):
        assert torch.allclose(got, wanted, atol=1e-12)


@pytest.mark.parametrize("positions", [FEW, FEW + 1])
def test_products_are_those_of_the_weights_that_are_built_with_all_their_gradients(positions: int) -> None:
    layer = Layer("a", 5, 4, 1.0, 3)
    chances = torch.rand(4, 7, 5, generator=generator(), dtype=torch.float64, requires_grad=True)
    rows = torch.randn(4, 5, 4, generator=generator(2), dtype=torch.float64, requires_grad=True)
    x = torch.randn(7, positions, 4, generator=generator(3), dtype=torch.float64, requires_grad=True)
    codes = torch.randint(4, (7, 5), generator=generator(4))
    (weight,) = straight_through(chances, [rows], codes, (layer,))
    upstream = torch.randn(7, positions, 5, generator=generator(9), dtype=torch.float64)
    out, wanted = linear(x, weight), x @ weight.built.transpose(1, 2)
    assert torch.allclose(out, wanted, atol=1e-12)
    pairs = zip(*(torch.autograd.grad(made, (x, chances, rows), upstream, retain_graph=True) for made in (out, wanted)), strict=True)
    assert all(torch.allclose(mine, other, atol=1e-12) for mine, other in pairs)


def test_rounding_passes_gradients_as_the_identity_except_through_pruned_rows() -> None:
    weights = torch.randn(5, 8, generator=generator(), dtype=torch.float64, requires_grad=True)
    rows = table(weights.detach())
    through = straight_through_table(weights, rows)
    assert torch.equal(through, rows)
    upstream = torch.randn(rows.shape, generator=generator(3), dtype=torch.float64)
    (found,) = torch.autograd.grad(through, weights, upstream)
    assert torch.allclose(found, upstream[1:].sum(0), atol=1e-12)


@pytest.mark.parametrize(("keep", "count"), [(0.5, 4), (0.01, 1), (1.0, 8)])
def test_the_mask_is_exactly_zero_or_one_and_takes_the_top_of_each_row(keep: float, count: int) -> None:
    scores = torch.rand(20, 8, generator=generator()).requires_grad_()
    mask = mask_of(scores, keep)
    assert bool(((mask == 0) | (mask == 1)).all())
    assert mask.sum(1).tolist() == [count] * 20
    assert bool((torch.where(mask == 1, scores, 9.0).amin(1) >= torch.where(mask == 0, scores, -9.0).amax(1)).all())
    (found,) = torch.autograd.grad((mask * 3).sum(), scores)
    assert bool((found == 3).all())


def test_a_mask_that_turns_signs_takes_the_largest_of_each_row_with_their_signs() -> None:
    scores = torch.randn(20, 8, generator=generator()).requires_grad_()
    mask = mask_of(scores, 0.25, turns=True)
    for row, made in zip(scores.tolist(), mask.tolist(), strict=True):
        largest = sorted(range(8), key=lambda place: -abs(row[place]))[:2]
        assert made == [(-1.0 if row[place] < 0 else 1.0) if place in largest else 0.0 for place in range(8)]
    (found,) = torch.autograd.grad((mask * 3).sum(), scores)
    assert bool((found == 3).all())
