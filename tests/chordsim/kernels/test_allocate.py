"""The compiled allocator makes the plans of the reference, all of them, and each device's whoever else is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.kernels.random_plans import compare, instance
from chordsim.kernels.allocate import allocate
from chordsim.quant import allocate as reference
from chordsim.quant.allocate import Costs


@pytest.mark.parametrize("lowest", [0, 1, 2])
@pytest.mark.parametrize("kind", ["bits", "flat", "free", "any", "big", "mixed"])
def test_all_plans_are_those_of_the_reference(kind: str, lowest: int) -> None:
    # 18 cases x 20 draws x 24 devices = 8,640 plans; `python -m benchmarks.kernels.random_plans` compares a million.
    for draw in range(20):
        assert compare(instance([draw, lowest, len(kind), ord(kind[0])], 24, kind=kind, lowest=lowest)) == 0


def test_a_device_alone_gets_the_plan_that_it_gets_among_others() -> None:
    for draw in range(10):
        case = instance([draw, 5], 16)
        together = allocate(*case)
        for d in range(16):
            alone = allocate(case[0][d : d + 1], case[1], case[2][d : d + 1], case[3])
            for name in ("codes", "refused", "binding", "multiplier"):
                assert torch.equal(getattr(alone, name)[0], getattr(together, name)[d]), name


def test_one_row_of_utilities_for_everybody_is_read_where_it_stands() -> None:
    utilities, costs, limits, lowest = instance([7], 32)
    shared = utilities[:1].expand(32, -1, -1)
    assert torch.equal(allocate(shared, costs, limits, lowest).codes, reference.allocate(shared, costs, limits, lowest).codes)


def test_utilities_in_double_precision_are_planned_in_it() -> None:
    # The two codes differ by less than float32 can tell.
    utilities = torch.tensor([[[0.0, 1.0, 1.0 + 1e-12, 1.0]]], dtype=torch.float64)
    costs = Costs(torch.tensor([[[0, 1, 1, 1]]]))
    assert int(allocate(utilities, costs, torch.tensor([[9]])).codes) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lowest": 3}, "leave a choice"),
        ({"limits": torch.zeros(3, 1, dtype=torch.int64)}, "disagree"),
        ({"utilities": torch.full((2, 1, 4), np.nan)}, "finite"),
    ],
)
def test_what_makes_no_plan_is_told_as_by_the_reference(change: dict, told: str) -> None:
    right = {
        "utilities": torch.zeros(2, 1, 4),
        "costs": Costs(torch.tensor([[[0, 1, 2, 3]]])),
        "limits": torch.zeros(2, 1, dtype=torch.int64),
        "lowest": 0,
    }
    for function in (allocate, reference.allocate):
        with pytest.raises(ValueError, match=told):
            function(**{**right, **change})
