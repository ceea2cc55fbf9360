"""The allocator never overspends, refuses exactly what cannot fit, gives more for more, and comes close to the optimum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chordsim.quant.allocate import Allocation, Costs, allocate, storage_price, thresholds

HUGE = 2**52


def spent(costs: Costs, codes: torch.Tensor) -> torch.Tensor:
    """What plans cost, summed in whole numbers, which stay below 2^53: int64 [D, B]."""
    channel = torch.arange(costs.values.shape[1])
    return costs.values[:, channel, codes.long()].sum(-1).T


def utility(utilities: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    return utilities.double().gather(-1, codes.long().unsqueeze(-1)).squeeze(-1).sum(-1)


def holds(costs: Costs, limits: torch.Tensor, plan: Allocation, lowest: int) -> None:
    floor = spent(costs, torch.full((1, costs.values.shape[1]), lowest))
    fits = (floor <= limits).all(1)
    assert torch.equal(plan.refused, ~fits)
    assert bool((spent(costs, plan.codes)[fits] <= limits[fits]).all())
    kept = plan.codes[~plan.refused]
    assert plan.codes.dtype == torch.uint8
    assert bool((kept >= lowest).all()) and bool((kept <= 3).all())
    assert bool((plan.codes[plan.refused] == 0).all())
    assert bool((plan.binding[plan.refused] >= 0).all())


def costs_of(rng: np.random.Generator, budgets: int, channels: int, kind: str) -> Costs:
    """Costs of several shapes: proportional to bits, flat above code 0 (latency), free, or any rising ones."""
    rows = []
    for _ in range(budgets):
        chosen = kind if kind != "mixed" else rng.choice(["bits", "flat", "free", "any", "big"])
        unit = rng.integers(1, 300, (channels, 1))
        if chosen == "bits":
            rows.append(unit * np.array([0, 2, 4, 8]))
        elif chosen == "flat":
            rows.append(unit * np.array([0, 1, 1, 1]))
        elif chosen == "free":
            rows.append(np.zeros((channels, 4), np.int64))
        elif chosen == "big":
            rows.append(np.sort(rng.integers(0, 2**50 // channels, (channels, 4)), 1))
        else:
            rows.append(np.sort(rng.integers(0, 1000, (channels, 4)), 1))
    return Costs(torch.from_numpy(np.stack(rows).astype(np.int64)))


def limits_of(rng: np.random.Generator, costs: Costs, devices: int) -> torch.Tensor:
    """From hopeless to boundless, each budget drawn on its own; also exactly the smallest and the dearest plan."""
    low, high = costs.values[:, :, 0].sum(1).numpy(), costs.values[:, :, 3].sum(1).numpy()
    share = rng.uniform(-0.1, 1.3, (devices, low.size))
    limits = np.floor(low + share * (high - low)).astype(np.int64)
    special = rng.integers(0, 12, (devices, low.size))
    for number, value in enumerate((low, high, low - 1, np.full_like(low, HUGE), np.full_like(low, -HUGE))):
        limits = np.where(special == number, value, limits)
    return torch.from_numpy(limits)


def utilities_of(rng: np.random.Generator, devices: int, channels: int) -> torch.Tensor:
    """Concave, shapeless, all equal, whole numbers (ties) and ones that never want a bit, device by device."""
    shape = (devices, channels, 4)
    wild = rng.normal(0, rng.choice([1e-3, 1.0, 1e3]), shape)
    concave = np.cumsum(np.abs(rng.normal(0, 1, shape)) * np.array([1, 1, 0.5, 0.2]), -1)
    choices = [wild, concave, np.full(shape, 0.7), rng.integers(0, 3, shape).astype(float), -np.cumsum(np.abs(wild), -1)]
    which = rng.integers(0, len(choices), devices)
    return torch.from_numpy(np.stack([choices[w][d] for d, w in enumerate(which)]).astype(np.float32))


@pytest.mark.parametrize("kind", ["bits", "flat", "free", "any", "big", "mixed"])
@pytest.mark.parametrize("lowest", [0, 1, 2])
def test_ten_thousand_random_budgets_are_never_overspent(kind: str, lowest: int) -> None:
    # 6 kinds x 3 lowest codes x 30 draws x 20 devices = 10,800 plans.
    for draw in range(30):
        rng = np.random.default_rng([draw, lowest, len(kind), ord(kind[0])])
        channels, budgets = int(rng.integers(1, 40)), int(rng.integers(1, 4))
        costs = costs_of(rng, budgets, channels, kind)
        limits = limits_of(rng, costs, 20)
        utilities = utilities_of(rng, 20, channels)
        plan = allocate(utilities, costs, limits, lowest)
        holds(costs, limits, plan, lowest)
        again = allocate(utilities, costs, limits, lowest)
        assert torch.equal(plan.codes, again.codes) and torch.equal(plan.multiplier, again.multiplier)


def test_plans_of_the_real_size_are_never_overspent() -> None:
    rng = np.random.default_rng(5)
    fan_in = torch.full((768,), 64)
    bits = fan_in[:, None] * torch.tensor([0, 2, 4, 8])
    latency = fan_in[:, None] * torch.tensor([0, 50, 50, 50])
    costs = Costs(torch.stack([bits, latency, bits]))
    limits = limits_of(rng, costs, 500)
    plan = allocate(torch.from_numpy(rng.normal(0, 1, (500, 768, 4)).astype(np.float32)), costs, limits, 0)
    holds(costs, limits, plan, 0)


instances = st.integers(1, 5).flatmap(
    lambda channels: st.tuples(
        hnp.arrays(np.float32, (channels, 4), elements=st.floats(-8, 8, width=32)),
        hnp.arrays(np.int64, (2, channels, 4), elements=st.integers(0, 12)),
        st.tuples(st.integers(-3, 70), st.integers(-3, 70)),
        st.integers(0, 2),
    )
)


@given(instances)
@settings(max_examples=300)
def test_any_instance_holds_its_budgets_and_is_worth_at_least_the_smallest_plan(instance: tuple) -> None:
    values, steps, limit, lowest = instance
    costs = Costs(torch.from_numpy(np.sort(steps, -1)))
    utilities, limits = torch.from_numpy(values)[None], torch.tensor([limit])
    plan = allocate(utilities, costs, limits, lowest)
    holds(costs, limits, plan, lowest)
    if not plan.refused[0]:
        smallest = utility(utilities, torch.full((1, values.shape[0]), lowest))
        assert float(utility(utilities, plan.codes)) >= float(smallest) - 1e-9


def best_of_all(utilities: torch.Tensor, costs: Costs, limits: list[int], lowest: int) -> float:
    """The optimum by trying every plan."""
    channels = utilities.shape[1]
    every = torch.tensor(list(itertools.product(range(lowest, 4), repeat=channels)))
    cost = torch.stack([costs.values[:, c, :][:, every[:, c]] for c in range(channels)]).sum(0)
    fits = (cost <= torch.tensor(limits)[:, None]).all(0)
    return float(utility(utilities.expand(every.shape[0], -1, -1), every)[fits].max())


@pytest.mark.parametrize("lowest", [0, 1])
def test_one_budget_loses_at_most_one_channels_largest_gain(lowest: int) -> None:
    """The greedy bound: what the multiplier leaves is less than the one step at which the budget broke."""
    lost = []
    for draw in range(150):
        rng = np.random.default_rng([draw, lowest])
        costs = costs_of(rng, 1, 5, "bits" if draw % 2 else "any")
        utilities = torch.from_numpy(rng.normal(0, 1, (1, 5, 4)).astype(np.float32))
        floor, top = (int(costs.values[0, :, code].sum()) for code in (lowest, 3))
        limit = int(rng.integers(floor, top + 1))
        plan = allocate(utilities, costs, torch.tensor([[limit]]), lowest)
        got, best = float(utility(utilities, plan.codes)), best_of_all(utilities, costs, [limit], lowest)
        largest = float((utilities[0, :, lowest:].amax(-1) - utilities[0, :, lowest]).max())
        assert best - largest - 1e-5 <= got <= best + 1e-5
        lost.append((best - got) / max(best, 1.0))
    # Not a bound but a watch: on average the loss stays a small share of the optimum even with 5 channels.
    assert float(np.mean(lost)) < 0.15


def test_many_channels_come_within_a_hair_of_the_relaxed_optimum() -> None:
    rng = np.random.default_rng(8)
    costs = Costs((torch.full((768, 1), 64) * torch.tensor([0, 2, 4, 8]))[None])
    utilities = torch.from_numpy(np.cumsum(np.abs(rng.normal(0, 1, (8, 768, 4))) * [1, 1, 0.5, 0.2], -1).astype(np.float32))
    limits = torch.full((8, 1), 2 * 768 * 64)
    plan = allocate(utilities, costs, limits, 0)
    relaxed = torch.full((8,), torch.inf, dtype=torch.float64)
    for price in np.linspace(0, 0.02, 400):
        value = (utilities.double() - price * costs.values[0].double()).amax(-1).sum(-1) + price * limits[:, 0].double()
        relaxed = torch.minimum(relaxed, value)
    got = utility(utilities, plan.codes)
    assert bool((got <= relaxed + 1e-6).all())
    assert bool((got >= 0.999 * relaxed).all())


@pytest.mark.parametrize("lowest", [0, 1])
def test_a_larger_budget_never_lowers_the_utility(lowest: int) -> None:
    for draw in range(40):
        rng = np.random.default_rng([draw, lowest, 3])
        costs = costs_of(rng, int(rng.integers(1, 3)), 12, "mixed")
        one = utilities_of(rng, 1, 12)
        low, high = costs.values[:, :, lowest].sum(1), costs.values[:, :, 3].sum(1)
        share = torch.linspace(0, 1.1, 60, dtype=torch.float64)[:, None]
        limits = (low.double() + share * (high - low).double()).floor().long()
        plan = allocate(one.expand(60, -1, -1), costs, limits, lowest)
        assert not bool(plan.refused.any())
        assert bool((utility(one.expand(60, -1, -1), plan.codes).diff() >= -1e-9).all())


@pytest.mark.parametrize("kind", ["bits", "mixed"])
def test_a_batch_gets_the_plans_that_each_device_gets_alone(kind: str) -> None:
    for draw in range(10):
        rng = np.random.default_rng([draw, 77])
        costs = costs_of(rng, 3, 24, kind)
        utilities, limits = utilities_of(rng, 16, 24), limits_of(rng, costs, 16)
        together = allocate(utilities, costs, limits, draw % 2)
        for d in range(16):
            alone = allocate(utilities[d : d + 1], costs, limits[d : d + 1], draw % 2)
            assert torch.equal(alone.codes[0], together.codes[d]) and alone.refused[0] == together.refused[d]
            assert alone.binding[0] == together.binding[d]


def test_a_jump_over_a_worthless_code_is_taken_whole_or_not_at_all() -> None:
    """Code 1 alone is worse than nothing; the budget ends between codes 1 and 2 of the second channel."""
    utilities = torch.tensor([[[0.0, -5.0, 10.0, 10.0]] * 2])
    costs = Costs(torch.tensor([[[0, 2, 4, 8]] * 2]))
    for limit, best in ((3, 0.0), (4, 10.0), (6, 10.0), (8, 20.0)):
        assert float(utility(utilities, allocate(utilities, costs, torch.tensor([[limit]])).codes)) == best


def test_who_wants_no_bits_gets_none_and_no_budget_binds() -> None:
    utilities = -torch.arange(4.0).expand(2, 6, 4)
    costs = Costs((torch.full((6, 1), 64) * torch.tensor([0, 2, 4, 8]))[None])
    for lowest in (0, 1, 2):
        plan = allocate(utilities, costs, torch.full((2, 1), HUGE), lowest)
        assert bool((plan.codes == lowest).all()) and bool((plan.binding == -1).all()) and bool((plan.multiplier == 0).all())


def test_equal_utilities_are_filled_in_channel_order() -> None:
    utilities = torch.arange(4.0).expand(1, 6, 4)
    costs = Costs((torch.full((6, 1), 3) * torch.tensor([0, 1, 2, 3]))[None])
    codes = [allocate(utilities, costs, torch.tensor([[limit]])).codes[0].tolist() for limit in (0, 3, 9, 10, 54)]
    assert codes == [[0] * 6, [1, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [3] * 6]


def test_binding_names_the_budget_that_limits_and_refusal_the_one_overrun_most() -> None:
    utilities = torch.arange(4.0).expand(5, 4, 4)
    bits, speed = torch.tensor([[2, 4, 8, 16]] * 4), torch.tensor([[1, 5, 5, 5]] * 4)
    limits = torch.tensor([[20, 100], [100, 12], [100, 100], [6, 100], [6, 1]])
    plan = allocate(utilities, Costs(torch.stack([bits, speed])), limits)
    assert plan.binding.tolist() == [0, 1, -1, 0, 1]
    assert plan.refused.tolist() == [False, False, False, True, True]
    # A budget that holds the smallest plan and not one unit more is the one that binds.
    exact = allocate(utilities[:1], Costs(torch.stack([bits, speed])), torch.tensor([[60, 4]]))
    assert exact.binding.tolist() == [1] and exact.codes.tolist() == [[0, 0, 0, 0]]


def test_thresholds_give_the_code_that_is_best_at_every_price() -> None:
    rng = np.random.default_rng(1)
    utilities = torch.from_numpy(rng.normal(0, 1, (3, 7, 4)))
    price = storage_price(costs_of(rng, 2, 7, "any"))
    for lowest in (0, 1):
        cut = thresholds(utilities, price, lowest)
        for at in np.linspace(0.01, 3, 40):
            wanted = lowest + (utilities - at * price)[..., lowest:].argmax(-1)
            assert torch.equal((cut > at).sum(-2), wanted)


def test_prices_rise_even_where_no_budget_tells_codes_apart() -> None:
    flat = Costs(torch.tensor([[[0, 7, 7, 7]]] * 40))
    assert bool((storage_price(flat).diff(dim=-1) > 0).all())
    plan = allocate(torch.tensor([[[0.0, 1.0, 2.0, 3.0]]]), flat, torch.full((1, 40), 7))
    assert plan.codes.tolist() == [[3]]


@pytest.mark.parametrize(
    ("widths", "lowest"), [((0, 2, 2, 2), 0), ((0, 2, 2, 4), 0), ((0, 2, 4, 4), 0), ((2, 2, 4, 8), 0), ((0, 2, 2, 2), 1)]
)
def test_among_codes_of_one_cost_the_best_is_taken_whatever_the_budget(widths: tuple[int, ...], lowest: int) -> None:
    """As good as the plans of distinct costs alone, each channel's best code standing for all that cost the same."""
    rng = np.random.default_rng(6)
    unit = torch.from_numpy(rng.integers(1, 9, (2, 40, 1)))
    costs = Costs(unit * torch.tensor(widths))
    utilities, limits = utilities_of(rng, 300, 40), limits_of(rng, costs, 300)
    plan = allocate(utilities, costs, limits, lowest)
    holds(costs, limits, plan, lowest)
    same = torch.tensor(widths)[:, None] == torch.tensor(widths)
    same[:lowest] = same[:, :lowest] = False
    among = torch.where(same, utilities[..., None, :], -torch.inf).amax(-1)
    served = ~plan.refused
    assert torch.equal(utility(utilities, plan.codes)[served], utility(among, plan.codes)[served])
    if len(set(widths[lowest:])) == 2:
        # One choice a channel: what is taken is worth as much as the same knapsack with that choice alone.
        first = torch.stack([costs.values[..., lowest], *[costs.values[..., 3] * (n + 1) for n in range(3)]], -1)
        twice = torch.stack([among[..., lowest], among[..., 3], *[among.amin(-1) - 1] * 2], -1)
        alone = allocate(twice, Costs(first), limits)
        assert torch.equal(utility(among, plan.codes)[served], utility(twice, alone.codes)[served])


def test_nonsense_is_refused() -> None:
    rising = torch.tensor([[[0, 1, 2, 3]]])
    one, limit = torch.zeros(1, 1, 4), torch.tensor([[3]])
    for bad in (rising.float(), rising[0], rising.flip(-1), rising - 1, rising * 2**52):
        with pytest.raises(ValueError):
            Costs(bad)
    for utilities, limits, lowest in (
        (torch.full((1, 1, 4), torch.nan), limit, 0),
        (torch.full((1, 1, 4), torch.inf), limit, 0),
        (torch.zeros(1, 2, 4), limit, 0),
        (one, limit.float(), 0),
        (one, torch.zeros(1, 2, dtype=torch.int64), 0),
        (one, limit, 3),
    ):
        with pytest.raises(ValueError):
            allocate(utilities, Costs(rising), limits, lowest)


def test_limits_at_the_ends_of_int64_do_not_wrap_around() -> None:
    costs = Costs(torch.tensor([[[2, 3, 4, 5]]]))
    ends = torch.tensor([[-(2**63)], [2**63 - 1]])
    plan = allocate(torch.arange(4.0).expand(2, 1, 4), costs, ends)
    assert plan.refused.tolist() == [True, False] and plan.codes.tolist() == [[0], [3]]
