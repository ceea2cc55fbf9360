"""Compiled products of training against autograd of the reference, and that a window's results are its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from chordsim.kernels.choose import obstacle
from chordsim.kernels.teaching import attend, product, thinned
from chordsim.nets import dropout, sasrec
from chordsim.nets.choice import Attend
from chordsim.quant import straight_through as reference

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=f"no compiled loops here: {obstacle()}")

#: Windows, positions, channels, inputs: whole tiles and not, more inputs than one pass over them takes.
SHAPES = ((5, 12, 64, 64), (3, 7, 24, 16), (2, 50, 8, 144), (1, 1, 80, 32))
#: What no compiled loop takes: rows that are no whole vectors, channels that are no whole tiles.
OTHERS = ((3, 6, 8, 20), (3, 6, 12, 16))


def inputs(windows: int, positions: int, channels: int, fan_in: int) -> tuple[list[Tensor], Tensor]:
    """Return activations whose first window begins late, chances, rows of which code 0 is off, codes, and an upstream gradient."""
    made = torch.Generator().manual_seed(windows + channels)
    x = torch.randn(windows, positions, fan_in, generator=made)
    x[0, : positions // 2] = 0
    chances, rows = torch.rand(4, windows, channels, generator=made), torch.randn(4, channels, fan_in, generator=made)
    rows[0] = 0
    codes = torch.randint(4, (windows, channels), generator=made)
    upstream = torch.randn(windows, positions, channels, generator=made)
    upstream[-1, : positions // 3] = 0
    return [x, chances, rows, codes], upstream


def results(multiply: reference.Product, given: list[Tensor], upstream: Tensor) -> list[Tensor]:
    x, chances, rows, codes = given
    asked = [part.clone().requires_grad_() for part in (x, chances, rows)]
    out = multiply(asked[0], asked[1], asked[2], codes)
    return [out.detach(), *torch.autograd.grad(out, asked, upstream)]


@pytest.mark.parametrize("shape", [*SHAPES, *OTHERS])
def test_products_and_gradients_are_the_references(shape: tuple[int, int, int, int]) -> None:
    given, upstream = inputs(*shape)
    exact = [part.double() if part.is_floating_point() else part for part in given]
    for found, wanted in zip(results(product, given, upstream), results(reference.product, exact, upstream.double()), strict=True):
        assert torch.allclose(found.double(), wanted, rtol=1e-5, atol=1e-5)


def test_a_window_does_not_depend_on_the_others() -> None:
    given, upstream = inputs(*SHAPES[0])
    x, chances, rows, codes = given
    together = results(product, given, upstream)
    for d in range(len(x)):
        alone = results(product, [x[d : d + 1], chances[:, d : d + 1], rows, codes[d : d + 1]], upstream[d : d + 1])
        assert torch.equal(alone[0][0], together[0][d])
        assert torch.equal(alone[1][0], together[1][d])
        assert torch.equal(alone[2][:, 0], together[2][:, d])


def test_nothing_is_asked_of_what_needs_no_gradient() -> None:
    given, upstream = inputs(*SHAPES[1])
    x, chances, rows, codes = given
    chances.requires_grad_()
    product(x, chances, rows, codes).backward(upstream)
    assert chances.grad is not None and x.grad is None and rows.grad is None


#: Windows, positions, queries, width, heads; the last heads are no whole vectors.
ATTENTIONS = ((4, 13, 13, 32, 2), (4, 50, 12, 64, 2), (3, 9, 1, 16, 1), (3, 21, 20, 24, 2))


@pytest.mark.parametrize("shape", ATTENTIONS)
def test_attention_and_its_gradients_are_the_references(shape: tuple[int, int, int, int, int]) -> None:
    windows, length, queries, width, heads = shape
    made = torch.Generator().manual_seed(length)
    given = [torch.randn(windows, n, width, generator=made) for n in (queries, length, length)]
    upstream = torch.randn(windows, queries, width, generator=made)
    # One history is whole, one is empty, one begins somewhere.
    starts = torch.tensor([0, length, length // 2, length - 1][:windows])
    items = (torch.arange(length) >= starts[:, None]).long()

    def results(mix: Attend, kind: torch.dtype) -> list[Tensor]:
        asked = [part.to(kind).requires_grad_() for part in given]
        out = mix(asked[0], asked[1], asked[2], items, heads)
        return [out.detach().double(), *(part.double() for part in torch.autograd.grad(out, asked, upstream.to(kind)))]

    for found, wanted in zip(results(attend, torch.float32), results(sasrec.attend, torch.float64), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.99])
def test_dropout_is_the_references_bit_for_bit(share: float) -> None:
    x = torch.randn(5, 7, 9, generator=torch.Generator().manual_seed(1))
    x[0, 0, :3] = torch.tensor([torch.nan, torch.inf, -0.0])
    found = []
    for thin in (thinned, dropout.thinned):
        given = x.clone().requires_grad_()
        out = dropout.dropped(given.transpose(0, 1), share, torch.Generator().manual_seed(2), thin)
        found.append([out.detach(), *torch.autograd.grad(out, given, out.detach() + 1)])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one.view(torch.int32), other.view(torch.int32))
