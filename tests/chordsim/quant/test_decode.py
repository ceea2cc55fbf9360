"""The phone's own table: against a loop over phones and tables, and what may never happen whatever the budgets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.config.model import BackboneConfig
from chordsim.methods import Budgets
from chordsim.nets.shapes import shapes_of
from chordsim.quant.allocate import allocate
from chordsim.quant.budget import BITS, PlanBudget, refusals
from chordsim.quant.decode import breaks, decode, tables, unknown_phones

SHAPES = shapes_of(BackboneConfig(dim=8, ffn_dim=12, max_len=10), 30)
PAPER = PlanBudget(SHAPES, (0, 2, 4, 8), 0)
PHONES = 12


def phones(draw: np.random.Generator, lowest: int) -> Budgets:
    """Budgets between the smallest plan and the largest, each of the three tight for some phones."""
    costs = PAPER.costs().values.numpy()
    floor, top = costs[:, :, lowest].sum(1), costs[:, :, 3].sum(1)
    share = np.where(draw.random((PHONES, 3)) < 0.4, 1.1, draw.random((PHONES, 3)))
    room = floor + share * (top - floor)
    speed = 1e6
    fixed = PAPER.limits(Budgets(np.zeros(1, np.int64), np.zeros(1), np.zeros(1), np.ones(1)), 32.0).numpy()[0]
    memory = np.ceil(room[:, 0] / 8).astype(np.int64) + PAPER.fixed_bytes
    return Budgets(memory, (room[:, 1] - fixed[1]) / speed, room[:, 2] / SHAPES.weights + 1e-9, np.full(PHONES, speed))


def test_the_paper_s_codes_have_three_tables() -> None:
    """Ample {2, 4, 8}, tight {2, 2, 4}, tightest {2, 2, 2} bits; with code 0 for a pruned channel there is one more."""
    widths = torch.tensor([0, 2, 4, 8])
    assert widths[tables(1)][:, 1:].tolist() == [[2, 4, 8], [2, 2, 4], [2, 2, 2]]
    assert widths[tables(0)].tolist() == [[0, 2, 4, 8], [0, 0, 2, 4], [0, 0, 0, 2], [0, 0, 0, 0]]


@pytest.mark.parametrize("lowest", [0, 1])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_every_phone_reads_by_the_first_table_that_it_holds(lowest: int, seed: int) -> None:
    """One phone and one table at a time, with costs added up channel by channel in Python."""
    draw = np.random.default_rng(seed)
    granted, codes = phones(draw, lowest), draw.integers(lowest, 4, (PHONES, SHAPES.channels)).astype(np.uint8)
    got = decode(torch.from_numpy(codes), lowest, PAPER, granted).numpy()
    costs, limits = PAPER.costs().values.numpy(), PAPER.limits(granted, 32.0).numpy()
    for d in range(PHONES):
        for step in range(4 - lowest):
            read = [max(int(code) - step, lowest) for code in codes[d]]
            spent = [sum(int(costs[b, c, code]) for c, code in enumerate(read)) for b in range(3)]
            # Memory is counted in whole bytes.
            if -(-spent[0] // 8) * 8 <= limits[d, 0] and spent[1] <= limits[d, 1] and spent[2] <= limits[d, 2]:
                break
        assert got[d].tolist() == read
    assert (breaks(torch.from_numpy(got), PAPER, granted) == 0).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_who_grants_more_never_reads_fewer_bits(seed: int) -> None:
    draw = np.random.default_rng(seed)
    less = phones(draw, 1)
    more = Budgets(less.memory_bytes * 2, less.latency_s * 1.5, less.bits * 1.2, less.macs_per_s)
    codes = torch.from_numpy(draw.integers(1, 4, (PHONES, SHAPES.channels)).astype(np.uint8))
    assert (decode(codes, 1, PAPER, more) >= decode(codes, 1, PAPER, less)).all()


def test_a_phone_that_holds_no_table_breaks_a_budget_and_says_which() -> None:
    codes = torch.full((3, SHAPES.channels), 3, dtype=torch.uint8)
    plenty = unknown_phones(3)
    granted = Budgets(np.array([10, 2**40, 2**40]), np.array([1e9, 0.0, 1e9]), np.array([32.0, 32.0, 1.9]), plenty.macs_per_s)
    read = decode(codes, 1, PAPER, granted)
    assert (read == 1).all()
    assert breaks(read, PAPER, granted).tolist() == [1, 2, BITS + 1]
    spent = PAPER.cost_of(read)
    assert refusals(spent.peak_memory_bytes, spent.macs, granted).tolist() == [1, 2, 0]


def test_codes_for_unknown_phones_are_limited_by_the_cap_alone() -> None:
    """What the cloud sends does not depend on the phone, and costs what the cap allows under the first table."""
    utilities = torch.randn(5, SHAPES.channels, 4, generator=torch.Generator().manual_seed(1)).cumsum(-1)
    limits = PAPER.limits(unknown_phones(5), 3.0)
    plan = allocate(utilities, PAPER.costs(), limits, 1)
    alone = allocate(utilities, PAPER.costs(), torch.tensor([[2**60, 2**60, 3 * SHAPES.weights]] * 5), 1)
    assert torch.equal(plan.codes, alone.codes) and not plan.refused.any()
    assert (PAPER.cost_of(plan.codes).weight_bits <= 3 * SHAPES.weights).all()
