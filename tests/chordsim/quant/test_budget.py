"""What a plan costs is what is stored and multiplied; what a phone grants is never exceeded, whatever it claims."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError
from chordsim.methods import BINDINGS, Budgets
from chordsim.methods.chord.settings import PlanSettings, plan_budget
from chordsim.methods.chord.spec import chord, chord_plus
from chordsim.nets import footprint
from chordsim.nets.shapes import shapes_of
from chordsim.quant.allocate import allocate
from chordsim.quant.budget import BITS, LATENCY, MEMORY, PlanBudget, refusals

SHAPES = shapes_of(BackboneConfig(dim=16, ffn_dim=32, max_len=12), 70)
WIDTHS = (0, 2, 4, 8)


def budgets(rows: int, **given: object) -> Budgets:
    columns = {"memory_bytes": 10**9, "latency_s": 1.0, "bits": 32.0, "macs_per_s": 1e12, **given}
    made = {name: np.broadcast_to(np.asarray(value), (rows,)).copy() for name, value in columns.items()}
    return Budgets(made["memory_bytes"].astype(np.int64), *(made[n].astype(np.float64) for n in ("latency_s", "bits", "macs_per_s")))


def test_the_order_of_budgets_is_that_of_bindings() -> None:
    assert [BINDINGS[n + 1] for n in (MEMORY, LATENCY, BITS)] == ["memory", "latency", "bits"]


def test_costs_of_codes_sum_to_the_cost_of_the_plan() -> None:
    sums = PlanBudget(SHAPES, WIDTHS, 100)
    codes = torch.randint(4, (50, SHAPES.channels), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    spent, costs = sums.cost_of(codes), sums.costs().values
    channel = torch.arange(SHAPES.channels)
    per_budget = costs[:, channel, codes.long()].sum(-1).numpy()
    assert np.array_equal(per_budget[MEMORY], spent.weight_bits) and np.array_equal(per_budget[BITS], spent.weight_bits)
    assert np.array_equal(per_budget[LATENCY] + footprint.fixed_macs(SHAPES), spent.macs)
    assert np.array_equal(spent.peak_memory_bytes, -(-spent.weight_bits // 8) + sums.fixed_bytes)
    naive = [
        sum(
            WIDTHS[c] * n.fan_in
            for n, part in zip(SHAPES.layers, row.split([x.channels for x in SHAPES.layers]), strict=True)
            for c in part.tolist()
        )
        for row in codes
    ]
    assert spent.weight_bits.tolist() == naive


def test_full_plans_cost_what_the_dense_model_costs() -> None:
    spent = PlanBudget(SHAPES, (0, 2, 4, 8), 0).cost_of(torch.full((1, SHAPES.channels), 3, dtype=torch.uint8))
    assert spent.macs[0] == footprint.dense_macs(SHAPES)
    assert spent.weight_bits[0] == 8 * SHAPES.weights
    dense = footprint.dense_peak_bytes(SHAPES)
    assert spent.peak_memory_bytes[0] == dense - 3 * SHAPES.weights + footprint.row_buffer_bytes(SHAPES)


def test_plans_bought_within_limits_are_not_refused_by_the_phone() -> None:
    """Cloud and phone use the same sums: what the allocator grants, the phone runs, to the byte and the operation."""
    rng = np.random.default_rng(4)
    sums, rows = PlanBudget(SHAPES, WIDTHS, 1000), 400
    most = 8 * SHAPES.weights // 8
    granted = budgets(
        rows,
        memory_bytes=sums.fixed_bytes + rng.integers(-20, most, rows),
        latency_s=rng.uniform(0.5, 1.2, rows) * footprint.dense_macs(SHAPES) / 1e6,
        macs_per_s=1e6,
        bits=rng.uniform(0.1, 9, rows),
    )
    limits = sums.limits(granted, 3.0)
    plan = allocate(torch.from_numpy(rng.normal(0, 1, (rows, SHAPES.channels, 4)).astype(np.float32)), sums.costs(), limits)
    spent, kept = sums.cost_of(plan.codes), ~plan.refused.numpy()
    assert 0 < kept.sum() < rows
    assert not refusals(spent.peak_memory_bytes, spent.macs, granted)[kept].any()
    assert (spent.weight_bits[kept] <= np.minimum(granted.bits, 3.0)[kept] * SHAPES.weights).all()
    assert (spent.peak_memory_bytes[kept] <= granted.memory_bytes[kept]).all()


def test_boundless_and_absurd_claims_neither_overflow_nor_wrap() -> None:
    sums = PlanBudget(SHAPES, WIDTHS, 0)
    for memory in (2**63 - 1, 2**62, 2**61 + 12345, 2**60):
        limits = sums.limits(budgets(1, memory_bytes=memory, latency_s=3e38, macs_per_s=3e38), 32.0)
        assert bool((limits > 0).all()), memory
    assert int(sums.limits(budgets(1, memory_bytes=0), 32.0)[0, MEMORY]) < 0


def test_refusals_name_memory_before_latency() -> None:
    granted = budgets(4, memory_bytes=[10, 10, 9, 9], latency_s=[1, 0.5, 1, 0.5], macs_per_s=100)
    given = refusals(np.full(4, 10), np.full(4, 100), granted)
    assert [BINDINGS[code] for code in given] == ["none", "latency", "memory", "memory"]


@pytest.mark.parametrize("spec", [chord("chord"), chord_plus("chord-plus")])
def test_shipped_settings_are_sound_and_count_what_the_method_adds(spec: object) -> None:
    settings = PlanSettings.of(spec.name, spec.defaults)  # type: ignore[attr-defined]
    extra = plan_budget(SHAPES, settings).extra_bytes
    assert extra > (SHAPES.weights // 8 if settings.mask_keep < 1 else 0)
    trained = shapes_of(BackboneConfig(dim=16, ffn_dim=32, max_len=12, init="trained"), 70)
    assert plan_budget(trained, settings).extra_bytes == extra + 4 * SHAPES.weights
    if settings.mask_keep < 1:
        assert plan_budget(SHAPES, replace(settings, signs="learnt")).extra_bytes == extra + -(-SHAPES.weights // 8)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("planner", "magic"),
        ("plans", 1),
        ("plans", 4097),
        ("widths", [0, 4, 2, 8]),
        ("widths", [0, 2, 4]),
        ("widths", [0, 2, 4, 9]),
        ("lowest", 3),
        ("bits", 0.0),
        ("train_bits", []),
        ("mask_keep", 0.0),
        ("temperature", 0.0),
        ("levels", ["row"]),
        ("extractor", "cnn"),
        ("profile_dim", 0),
        ("user_input", 1),
        ("reads", []),
        ("reads", [50, 0]),
        ("reads", [50.5]),
        ("reads", 50),
        ("reads", "long"),
        ("horizon", 0),
        ("bits", "two"),
        ("stray", 1),
        ("gains_of", "user"),
        ("gains_of", "code"),
        ("signs", "turned"),
    ],
)
def test_settings_that_make_no_plan_are_refused_in_one_line(key: str, value: object) -> None:
    with pytest.raises(ScenarioError) as caught:
        PlanSettings.of("chord-plus", {**chord_plus("chord-plus").defaults, key: value})
    assert f"settings.chord-plus.{key}" in str(caught.value) and "\n" not in str(caught.value)


def test_signs_are_learnt_beside_a_mask_alone() -> None:
    with pytest.raises(ScenarioError, match="set settings.chord.mask_keep below 1"):
        PlanSettings.of("chord", {**chord("chord").defaults, "signs": "learnt"})
