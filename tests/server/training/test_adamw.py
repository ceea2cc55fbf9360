"""Steps of AdamW are torch's, bit for bit, and go on from where they were."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from server.training.adamw import AdamW

RATES = (1e-2, 3e-3)


def parameters() -> list[nn.Parameter]:
    made = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=made)) for shape in ((7, 5), (3,), (2, 2, 9))]


def groups(all_of_them: list[nn.Parameter]) -> list[dict[str, object]]:
    return [{"params": all_of_them[:2], "lr": RATES[0]}, {"params": all_of_them[2:], "lr": RATES[1]}]


def gradients(step: int, of: list[nn.Parameter]) -> None:
    """Give all but the second a gradient in every step, the second in every other one."""
    made = torch.Generator().manual_seed(step)
    for n, parameter in enumerate(of):
        drawn = torch.randn(parameter.shape, generator=made) * 10.0 ** (step % 5 - 2)
        parameter.grad = None if n == 1 and step % 2 else drawn


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_are_those_of_torch(decay: float) -> None:
    mine, others = parameters(), parameters()
    here = AdamW(groups(mine), betas=(0.9, 0.98), weight_decay=decay)
    there = torch.optim.AdamW(groups(others), betas=(0.9, 0.98), weight_decay=decay)
    for step in range(12):
        for optimiser, of in ((here, mine), (there, others)):
            gradients(step, of)
            optimiser.param_groups[0]["lr"] = RATES[0] * (0.25 if step > 6 else 1.0)
            optimiser.step()
        assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))


def test_one_that_was_put_away_goes_on_as_if_nothing_had_been() -> None:
    mine = parameters()
    whole = AdamW(groups(mine))
    for step in range(4):
        gradients(step, mine)
        whole.step()
    others = copy.deepcopy(mine)
    again = AdamW(groups(others))
    again.go_on(copy.deepcopy(whole.moments()))
    for step in range(4, 9):
        for optimiser, of in ((whole, mine), (again, others)):
            gradients(step, of)
            optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))
    whole.zero_grad()
    assert all(parameter.grad is None for parameter in mine)
