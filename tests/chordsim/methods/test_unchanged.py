"""Whose prescription other budgets leave alone: never claimed where it would have been another, and claimed often enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.config.model import BackboneConfig, TrainingConfig
from chordsim.methods import BINDINGS, Budgets, Given, MethodContext
from chordsim.methods.chord.settings import PlanSettings, plan_budget
from chordsim.methods.forward_ofa.net import block_macs, block_weights, drop
from chordsim.methods.forward_ofa.spec import blocks_cost
from chordsim.nets.shapes import shapes_of
from chordsim.quant.allocate import allocate

PHONES = 400
BACKBONE = BackboneConfig(dim=8, ffn_dim=8, blocks=3, max_len=6)


def context_of(name: str) -> tuple[Any, MethodContext]:
    spec = methods.find(name)
    return spec, MethodContext(name, dict(spec.defaults) | {}, BACKBONE, TrainingConfig(), 30, 1)


def budgets_around(rng: np.random.Generator, memory: tuple[float, float], macs: tuple[float, float], bits: tuple[float, float]) -> Budgets:
    """Return budgets drawn around what matters; each is one of a few values, so that pairs often share some."""
    few = lambda ends: rng.choice(np.linspace(*ends, 4), PHONES)  # noqa: E731
    return Budgets(few(memory).astype(np.int64), few(macs) / 1e9, few(bits), np.full(PHONES, 1e9))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["chord", "chord-plus"])
def test_plans_that_are_called_the_same_are_bought_alike(name: str, seed: int) -> None:
    spec, context = context_of(name)
    settings = PlanSettings.of(name, context.settings)
    shapes = shapes_of(BACKBONE, 30)
    budget = plan_budget(shapes, settings)
    costs = budget.costs()
    top = costs.values[:, :, 3].sum(1).numpy()
    rng = np.random.default_rng(seed)
    fixed = budget.fixed_bytes
    spans = ((fixed + top[0] / 40, fixed + top[0] / 7), (top[1] * 0.4, top[1] * 2.2), (1.0, 6.0))
    utilities = torch.from_numpy(np.cumsum(rng.gamma(0.3, size=(PHONES, shapes.channels, 4)) * [0, 3, 2, 1], -1).astype(np.float32))
    # Not concave and not rising everywhere: some codes are worth less than a cheaper one.
    utilities += torch.from_numpy(rng.normal(0, 0.3, utilities.shape).astype(np.float32))
    before, now = budgets_around(rng, *spans), budgets_around(rng, *spans)
    plans = [allocate(utilities, costs, budget.limits(b, settings.bits), settings.lowest) for b in (before, now)]
    taken = budget.cost_of(plans[0].codes)
    words = np.array(BINDINGS)[plans[0].binding.numpy() + 1]
    given = Given(taken.peak_memory_bytes, taken.macs, taken.weight_bits / shapes.weights, words)
    both = ~(plans[0].refused | plans[1].refused).numpy()
    same = spec.unchanged(context, given, now, before) & both
    equal = (plans[0].codes == plans[1].codes).all(1).numpy()
    assert same.sum() > 8 and equal[same].all()
    assert (spec.unchanged(context, given, before, before)[both]).all()


@pytest.mark.parametrize("seed", range(6))
def test_blocks_that_are_called_the_same_are_kept_alike(seed: int) -> None:
    spec, context = context_of("forward-ofa")
    rng, macs = np.random.default_rng(seed), block_macs(shapes_of(BACKBONE, 30))
    least = blocks_cost(context, np.zeros(1, np.int64), np.zeros(1, np.int64))
    low, fixed, one = int(least.peak_memory_bytes[0]), int(least.macs[0]), 4 * block_weights(shapes_of(BACKBONE, 30))
    spans = ((low, low + 3.5 * one), (fixed, fixed + 1.2 * macs.sum()), (32.0, 32.0))
    wanted, chance = rng.random((PHONES, 3)) < 0.7, rng.random((PHONES, 3))

    def kept(b: Budgets) -> np.ndarray:
        speed = (b.latency_s * b.macs_per_s).astype(np.int64)
        return drop(wanted, chance, macs, one, speed - fixed, b.memory_bytes - low)

    before, now = budgets_around(rng, *spans), budgets_around(rng, *spans)
    was = kept(before)
    taken = blocks_cost(context, was.sum(1), was @ macs)
    same = spec.unchanged(context, Given(taken.peak_memory_bytes, taken.macs, 32.0 * was.mean(1), np.full(PHONES, "none")), now, before)
    fits = (taken.peak_memory_bytes <= now.memory_bytes) & (taken.macs <= (now.latency_s * now.macs_per_s).astype(np.int64))
    assert same.sum() > 20 and (kept(now) == was).all(1)[same].all() and (fits | ~same).all()


def test_every_method_says_what_its_prescriptions_depend_on_and_the_default_is_not_to_know() -> None:
    some = Budgets(np.full(3, 10**9), np.full(3, 9.0), np.full(3, 32.0), np.full(3, 1e9))
    given = Given(np.ones(3, np.int64), np.ones(3, np.int64), np.full(3, np.nan), np.full(3, "none"))
    for family in methods.known():
        spec, context = context_of(family.replace("chord-aged-k", "chord-aged-5").replace("-k", "-2"))
        assert spec.by_budgets is not None and spec.unchanged(context, given, some, some) is not None, family
        assert replace(spec, by_budgets=None).by_budgets is None
    plain = methods.MethodSpec("new", "", (), "", "")
    assert plain.by_budgets is None and plain.unchanged(context, given, some, some) is None
