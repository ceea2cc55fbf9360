"""Compiled importance of elements against autograd of the reference, and that a user's numbers are the user's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from chordsim.kernels.choose import obstacle
from chordsim.kernels.elements import weighed
from chordsim.nets import elements

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=f"no compiled loops here: {obstacle()}")

#: Users, channels, inputs, rank: whole vectors and any number of inputs; then what no compiled loop takes.
SHAPES = ((5, 64, 64, 4), (3, 16, 7, 4), (1, 80, 144, 4), (3, 20, 16, 4), (2, 16, 16, 3))


def inputs(users: int, channels: int, inputs: int, rank: int) -> list[Tensor]:
    """Return both factors, some of whose products are far out on either side, shares, and an upstream gradient."""
    made = torch.Generator().manual_seed(users + channels)
    left, right = (torch.randn(users, count, rank, generator=made) for count in (channels, inputs))
    left[0, 0], left[-1, -1] = 400.0, 0.0
    shares = torch.rand(channels, inputs, generator=made)
    return [left, right, shares, torch.randn(users, channels, generator=made)]


def results(weigh: elements.Weigh, given: list[Tensor]) -> list[Tensor]:
    left, right, shares, upstream = given
    one, other = (part.clone().requires_grad_() for part in (left, right))
    out = weigh(one, other, shares)
    return [out.detach(), *torch.autograd.grad(out, [one, other], upstream)]


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_and_gradients_are_the_references(shape: tuple[int, int, int, int]) -> None:
    given = inputs(*shape)
    for found, wanted in zip(results(weighed, given), results(elements.weighed, [part.double() for part in given]), strict=True):
        assert torch.allclose(found.double(), wanted, rtol=1e-5, atol=1e-5)


def test_a_user_does_not_depend_on_the_others() -> None:
    left, right, shares, upstream = inputs(*SHAPES[0])
    together = results(weighed, [left, right, shares, upstream])
    for d in range(len(left)):
        alone = results(weighed, [left[d : d + 1], right[d : d + 1], shares, upstream[d : d + 1]])
        assert all(torch.equal(one[0], all_of_them[d]) for one, all_of_them in zip(alone, together, strict=True))


def test_what_is_no_number_stays_none() -> None:
    left, right, shares, _ = inputs(*SHAPES[0])
    left[1, 3] = torch.nan
    out = weighed(left, right, shares)
    assert torch.isnan(out[1, 3]) and int(torch.isnan(out).sum()) == 1
