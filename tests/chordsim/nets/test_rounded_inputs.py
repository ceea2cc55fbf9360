"""Rounded activations: levels of each vector's own range, zero among them, gradients as if nothing were rounded."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chordsim.nets.choice import Choice, Fed, fed, linear, rounded_inputs

NUMBERS = st.floats(-1e3, 1e3, width=32).filter(lambda v: v == 0 or abs(v) > 1e-3)


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.integers(2, 8))
def test_a_vector_has_at_most_so_many_levels_and_none_is_further_off_than_one_step(values: list[float], bits: int) -> None:
    x = torch.tensor([values])
    got = rounded_inputs(x, bits)
    step = (max(*values, 0.0) - min(*values, 0.0)) / (2**bits - 1)
    assert len(got.unique()) <= 2**bits
    assert float((got - x).abs().max()) <= step * 1.01 + 1e-6
    assert bool((got[x == 0] == 0).all())


def test_no_vector_learns_of_another() -> None:
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
    together, alone = rounded_inputs(x, 4), rounded_inputs(x[1:2, 2:3], 4)
    assert torch.equal(together[1:2, 2:3], alone)


def test_gradients_pass_as_if_nothing_were_rounded() -> None:
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    (grad,) = torch.autograd.grad((rounded_inputs(x, 2) * 3.0).sum(), x)
    assert torch.allclose(grad, torch.full_like(grad, 3.0))


@pytest.mark.parametrize("positions", [2, 9])
def test_products_are_those_of_rounded_inputs(positions: int) -> None:
    random = torch.Generator().manual_seed(2)
    x, rows = torch.randn(4, positions, 8, generator=random), torch.randn(4, 6, 8, generator=random)
    codes = torch.randint(0, 4, (4, 6), generator=random)
    for weight in (rows[0], rows, Choice(rows, codes)):
        (wrapped,) = fed([weight], 4)
        assert isinstance(wrapped, Fed) and fed([weight], 32) == [weight]
        assert torch.equal(linear(x, wrapped), linear(rounded_inputs(x, 4), weight))
