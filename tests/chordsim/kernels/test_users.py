"""Users and what channels are worth to them, compiled: torch's numbers, a phone's whoever else is there; what plans cost, exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from chordsim.kernels.allocate import allocate
from chordsim.kernels.allocate import channel_sums as compiled_sums
from chordsim.kernels.users import read_users, residual, turned_users
from chordsim.nets.extractor import Gru, MeanPool
from chordsim.quant.allocate import Costs
from chordsim.quant.budget import channel_sums


def readers(dim: int, width: int) -> tuple[MeanPool, torch.Tensor, torch.Tensor]:
    """An extractor, embeddings, and histories of all lengths, none included."""
    torch.manual_seed(dim)
    items = torch.randint(1, 91, (75, 50))
    items[torch.arange(50)[None] < 50 - torch.randint(0, 51, (75,))[:, None]] = 0
    items[0] = 0
    return MeanPool(dim, width).requires_grad_(False), torch.randn(91, dim), items


@pytest.mark.parametrize(("dim", "width"), [(64, 64), (12, 7), (20, 33)])
def test_users_are_read_as_the_extractor_reads_them(dim: int, width: int) -> None:
    reader, table, items = readers(dim, width)
    assert torch.allclose(read_users(reader, items, table), reader(items, table), rtol=1e-5, atol=1e-5)
    # Means of other lengths, and more or fewer of them.
    for reads in ((40,), (45, 20, 3)):
        other = MeanPool(dim, width, reads).requires_grad_(False)
        assert torch.allclose(read_users(other, items, table), other(items, table), rtol=1e-5, atol=1e-5)
    # Histories shorter than what means are taken over.
    assert torch.allclose(read_users(reader, items[:, -5:], table), reader(items[:, -5:], table), rtol=1e-5, atol=1e-5)


def test_a_user_is_the_same_bits_whoever_else_is_there() -> None:
    reader, table, items = readers(20, 33)
    together = read_users(reader, items, table)
    for rows in (slice(0, 1), slice(31, 40), slice(74, 75)):
        assert torch.equal(read_users(reader, items[rows], table), together[rows])


def test_other_extractors_run_as_they_are() -> None:
    _, table, items = readers(12, 7)
    reader = Gru(12, 7).requires_grad_(False)
    assert torch.equal(read_users(reader, items, table), reader(items, table))


def test_users_are_turned_alike_whoever_else_is_there() -> None:
    torch.manual_seed(4)
    user, matrix = torch.randn(70, 33), torch.randn(21, 33)
    got = turned_users(user, matrix)
    assert torch.allclose(got, user @ matrix.T, rtol=1e-5, atol=1e-5)
    for rows in (slice(0, 1), slice(31, 40)):
        assert torch.equal(turned_users(user[rows], matrix), got[rows])


@pytest.mark.parametrize(("channels", "width"), [(77, 64), (16, 5), (3, 9)])
def test_residuals_are_bounded_as_torch_bounds_them(channels: int, width: int) -> None:
    torch.manual_seed(channels)
    user, heads, shared = torch.randn(70, width), torch.randn(channels, 4, width), torch.randn(channels, 4)
    got = residual(user, heads, shared, 4.0)
    wanted = shared + 4 * torch.tanh((user @ heads.flatten(0, 1).T).view(-1, channels, 4))
    assert got.shape == wanted.shape and torch.allclose(got, wanted, rtol=1e-5, atol=1e-5)
    for rows in (slice(0, 1), slice(31, 40)):
        assert torch.equal(residual(user[rows], heads, shared, 4.0), got[rows])


def test_the_bound_is_as_exact_as_float32_from_the_smallest_numbers_to_the_largest() -> None:
    small = np.logspace(-30, 1, 1000)
    given = np.concatenate([np.linspace(-12, 12, 4001), small, -small, [math.inf, -math.inf, math.nan]])
    x = torch.tensor(given, dtype=torch.float32)
    got = residual(x[:, None], torch.tensor([[[1.0], [0.0], [0.0], [0.0]]]), torch.zeros(1, 4), 1.0)[:, 0, 0].double()
    wanted = torch.tanh(x.double())
    assert bool(((got - wanted).abs()[:-1] <= 3e-7 * wanted.abs()[:-1]).all()) and bool(got[-1].isnan())


def test_plans_are_the_same_however_utilities_lie_in_memory() -> None:
    torch.manual_seed(1)
    user, heads = torch.randn(40, 8), torch.randn(21, 4, 8)
    by_code = residual(user, heads, torch.randn(21, 4), 4.0)
    costs = Costs(torch.cumsum(torch.randint(1, 9, (2, 21, 4)), -1))
    limits = torch.randint(40, 500, (40, 2))
    for lowest in (0, 1, 2):
        one, other = allocate(by_code, costs, limits, lowest), allocate(by_code.contiguous(), costs, limits, lowest)
        assert torch.equal(one.codes, other.codes) and torch.equal(one.binding, other.binding)


def test_channels_add_up_as_in_the_reference() -> None:
    draw = np.random.default_rng(3)
    codes = torch.from_numpy(draw.integers(0, 4, (50, 333), dtype=np.uint8))
    fan_in, macs = draw.integers(1, 5000, 333), draw.integers(1, 10**9, 333)
    for widths in ((0, 2, 4, 8), (2, 2, 2, 2), (0, 0, 0, 8), (0, 3, 5, 7)):
        for one, other in zip(compiled_sums(codes, widths, fan_in, macs), channel_sums(codes, widths, fan_in, macs), strict=True):
            assert np.array_equal(one, other)
