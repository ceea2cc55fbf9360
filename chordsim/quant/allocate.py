"""From utilities and budgets to codes: a batched multiple-choice knapsack that never overspends.

Raising a channel's code by one is worth it while the multiplier is below a threshold that has a closed form
(the slopes of the channel's concave majorant), so one bisection over a scalar per device replaces a search
over codes. The last multiplier that holds all budgets is kept and what is left is filled in channel order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

#: Halvings of the multiplier's range; what they leave undecided is filled in channel order.
STEPS = 14
#: Below this float32 counts exactly.
EXACT_FLOAT32 = 2**24
#: What is said of utilities that are not.
NOT_FINITE = "utilities must be finite"


@dataclass(frozen=True)
class Costs:
    """What each code of each channel costs, per budget, in whole units.

    Attributes:
        values: Shape [B, C, 4], int64, not negative, not decreasing along codes; all channels together below 2^53.
    """

    values: Tensor

    def __post_init__(self) -> None:
        if self.values.dtype != torch.int64 or self.values.ndim != 3 or self.values.shape[2] != 4:
            raise ValueError("costs are int64 of shape [budgets, channels, 4]")
        if bool((self.values.diff(dim=-1) < 0).any()):
            raise ValueError("a higher code may not cost less")
        if bool((self.values < 0).any()) or bool((self.values.double().sum(1) >= 2**53).any()):
            raise ValueError("a plan costs from 0 to 2^53 units, so that sums stay exact")


@dataclass(frozen=True)
class Allocation:
    """The plans of D devices.

    Attributes:
        codes: Shape [D, C], uint8; zeros where refused.
        refused: Shape [D], bool: not even the smallest plan fits.
        binding: Index of the budget that limited the plan, -1 for none, shape [D], int64; where refused, the
            budget that the smallest plan overruns most.
        multiplier: The price at which the plan was bought, shape [D]; 0 where no budget binds.
    """

    codes: Tensor
    refused: Tensor
    binding: Tensor
    multiplier: Tensor


def thresholds(utilities: Tensor, price: Tensor, lowest: int) -> Tensor:
    """Return for j = 1, 2, 3 the multiplier below which a channel's best code is at least j.

    t_j = max over b >= j of min over a < j of (u_b - u_a) / (c_b - c_a); -inf for codes up to ``lowest``
    means that they cost nothing extra, so they are taken always (returned as +inf).

    Args:
        utilities: [..., C, 4].
        price: Price of each code, [C, 4], strictly rising from ``lowest``.
        lowest: The smallest code that a channel may have.

    Returns:
        Shape [..., 3, C].
    """
    out = []
    for j in (1, 2, 3):
        if j <= lowest:
            out.append(torch.full(utilities.shape[:-1], math.inf, dtype=utilities.dtype))
            continue
        best: Tensor | None = None
        for b in range(j, 4):
            worst: Tensor | None = None
            for a in range(lowest, j):
                slope = (utilities[..., b] - utilities[..., a]) * (1.0 / (price[:, b] - price[:, a])).to(utilities.dtype)
                worst = slope if worst is None else torch.minimum(worst, slope)
            assert worst is not None
            best = worst if best is None else torch.maximum(best, worst)
        assert best is not None
        out.append(best)
    return torch.stack(out, -2)


def allocate(utilities: Tensor, costs: Costs, limits: Tensor, lowest: int = 0) -> Allocation:
    """Choose one code per channel and device: the most utility that every budget allows.

    Args:
        utilities: [D, C, 4] float; all finite.
        costs: Costs per budget; the last sets prices.
        limits: [D, B] int64, what each device grants.
        lowest: The smallest code that may be used, 0 to 2 (1 where code 0 is reserved).

    Returns:
        Codes that hold every budget of every device that is not refused.

    Raises:
        ValueError: Shapes disagree, a utility is not finite, or there is no choice above ``lowest``.
    """
    check(utilities, costs, limits, lowest)
    devices, channels, _ = utilities.shape
    budgets = costs.values.shape[0]
    utilities, named = _cheapest_first(utilities, costs, lowest)
    floor = costs.values[:, :, lowest].sum(1)
    room = limits.clamp(-(2**62), 2**62) - floor
    refused = (room < 0).any(1)
    steps, room = _whole_units(costs.values.diff(dim=-1).transpose(1, 2), room, lowest)
    grow = thresholds(utilities.float(), storage_price(costs), lowest)[:, lowest:, :].reshape(devices, -1)
    weight = steps[:, lowest:, :].reshape(budgets, -1)
    tight, narrow = _essential(weight, room)
    low, high, free = _bisect(grow, tight, narrow)
    taken = grow > high[:, None]
    _fill(taken, grow, tight, narrow, low, free, channels)
    taken &= ~refused[:, None]
    codes = taken.view(devices, 3 - lowest, channels).sum(1, dtype=torch.int64) + lowest
    codes = _worth(utilities, codes, lowest)
    if named is not None:
        codes = named.gather(-1, codes.unsqueeze(-1)).squeeze(-1)
    codes = torch.where(refused[:, None], 0, codes).to(torch.uint8)
    binding = torch.where(free, -1, _tightest(taken.to(weight.dtype) @ weight.T, room))
    overrun = (floor - limits).double() / floor.clamp_min(1).double()
    binding = torch.where(refused, overrun.argmax(1), binding)
    return Allocation(codes, refused, binding, torch.where(free, torch.zeros_like(high), high))


def check(utilities: Tensor, costs: Costs, limits: Tensor, lowest: int) -> None:
    """Say what is wrong with the arguments of `allocate`.

    Raises:
        ValueError: Shapes disagree, a utility is not finite, or there is no choice above ``lowest``.
    """
    check_shapes(utilities, costs, limits, lowest)
    # One pass: a NaN or an infinity anywhere shows in the sum.
    if not bool(torch.isfinite(utilities.sum())):
        raise ValueError(NOT_FINITE)


def check_shapes(utilities: Tensor, costs: Costs, limits: Tensor, lowest: int) -> None:
    """Say what is wrong with them but their numbers; raises as `check` does."""
    if not 0 <= lowest <= 2:
        raise ValueError(f"the smallest code is {lowest}: 0, 1 or 2 leave a choice")
    devices, channels, _ = utilities.shape
    if costs.values.shape[1] != channels or limits.shape != (devices, costs.values.shape[0]) or limits.dtype != torch.int64:
        raise ValueError("utilities [D, C, 4], costs [B, C, 4] and int64 limits [D, B] disagree")


def _cheapest_first(utilities: Tensor, costs: Costs, lowest: int) -> tuple[Tensor, Tensor | None]:
    """Let the first of codes that cost the same everywhere stand for the best of them, and the others for nothing.

    A choice among such codes is no matter of budgets; left to multipliers, their slopes would dwarf all others.

    Returns:
        Utilities in which the others are worse than the first, and the code that each code stands for [D, C, 4]; None where
        all codes differ in cost.
    """
    same = [code > lowest and not bool(costs.values[..., code - 1 : code + 1].diff(dim=-1).any()) for code in range(4)]
    if not any(same):
        return utilities, None
    out, named = utilities.clone(), torch.arange(4).repeat(*utilities.shape[:-1], 1)
    first = lowest
    for code in range(lowest + 1, 4):
        if not same[code]:
            first = code
            continue
        better = utilities[..., code] > out[..., first]
        named[..., first] = torch.where(better, code, named[..., first])
        out[..., first] = torch.maximum(out[..., first], utilities[..., code])
    for code in (code for code in range(4) if same[code]):
        out[..., code] = out.amin(-1) - 1.0
    return out, named


def _worth(utilities: Tensor, codes: Tensor, lowest: int) -> Tensor:
    """Lower a code to the best one below it, which costs no more.

    A step may be worth taking only together with the next one, as where utilities are not concave; where the fill
    stopped between the two, the first alone could be worse than nothing.
    """
    at = codes.unsqueeze(-1)
    best = utilities.gather(-1, at)
    for code in range(2, lowest - 1, -1):
        other = utilities[..., code : code + 1]
        better = (at > code) & (other > best)
        codes, best = torch.where(better.squeeze(-1), code, codes), torch.where(better, other, best)
    return codes


def _essential(weight: Tensor, room: Tensor) -> tuple[Tensor, Tensor]:
    """Merge budgets that charge alike and drop those that no plan can break; the plans stay the same.

    Args:
        weight: Cost of each step per budget [B, S].
        room: What each device leaves above its smallest plan [D, B].
    """
    kept: list[tuple[Tensor, Tensor]] = []
    for budget in range(weight.shape[0]):
        row, left = weight[budget], room[:, budget]
        if not bool((left < row.sum()).any()):
            continue
        same = [n for n, (other, _) in enumerate(kept) if torch.equal(other, row)]
        if same:
            kept[same[0]] = (row, torch.minimum(kept[same[0]][1], left))
        else:
            kept.append((row, left))
    if not kept:
        kept = [(weight[0], room[:, 0])]
    return torch.stack([row for row, _ in kept]), torch.stack([left for _, left in kept], 1)


def _bisect(grow: Tensor, weight: Tensor, room: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each device a multiplier that breaks a budget, one that holds all, and whether 0 holds all.

    The second is always a multiplier that was tried and found to hold, never a guess.
    """
    taken = torch.empty_like(grow, dtype=weight.dtype)
    limits = room.unbind(1)

    def fits(multiplier: Tensor) -> Tensor:
        torch.gt(grow, multiplier[:, None], out=taken)
        holds = torch.ones(grow.shape[0], dtype=torch.bool)
        for cost, limit in zip(weight, limits, strict=True):
            # One product per budget: a matrix with so few columns is slower.
            holds &= torch.mv(taken, cost) <= limit
        return holds

    low = torch.zeros(grow.shape[0])
    free = fits(low)
    high = torch.where(free, low, grow.amax(1).clamp_min(0.0))
    for _ in range(STEPS):
        middle = (low + high) / 2
        good = fits(middle)
        high = torch.where(good, middle, high)
        low = torch.where(good, low, middle)
    return low, high, free


def storage_price(costs: Costs) -> Tensor:
    """Return the price of each code of each channel [C, 4], float64: the cost in the last budget, 1 per channel at code 3.

    One budget sets the prices and the others only limit, so that a plan made under many budgets is the plan
    that training made under that one, wherever no other budget binds. A small slope in the code itself keeps prices
    strictly rising where that budget does not tell two codes apart.
    """
    last = costs.values[-1].double()
    dearest = last[:, 3].sum().clamp_min(1.0)
    return last / dearest * last.shape[0] + 1e-6 * torch.arange(4, dtype=torch.float64)


def _whole_units(steps: Tensor, room: Tensor, lowest: int) -> tuple[Tensor, Tensor]:
    """Divide each budget by its greatest common divisor and pick a float type in which sums stay exact."""
    scaled, rooms = [], []
    for b in range(steps.shape[0]):
        unit = max(int(torch.gcd(steps[b, lowest:].reshape(-1), torch.zeros(1, dtype=torch.int64)).max()), 1)
        for value in torch.unique(steps[b, lowest:]).tolist():
            unit = math.gcd(unit, int(value)) or unit
        scaled.append(steps[b] // unit)
        rooms.append(torch.div(room[:, b], unit, rounding_mode="floor"))
    small = torch.stack(scaled)
    kind = torch.float32 if int(small[:, lowest:].sum((1, 2)).max()) < EXACT_FLOAT32 else torch.float64
    # No device can spend more than the dearest plan, so larger rooms are cut there to stay exact too.
    dearest = small[:, lowest:].sum((1, 2))
    return small.to(kind), torch.minimum(torch.stack(rooms, 1), dearest + 1).to(kind)


def _fill(taken: Tensor, grow: Tensor, weight: Tensor, room: Tensor, low: Tensor, free: Tensor, channels: int) -> None:
    """Add to ``taken``, in channel order, the steps above ``low`` that still fit: what bisection left undecided."""
    edge = (grow > low[:, None]) & ~taken
    rows = (edge.any(1) & ~free).nonzero().squeeze(1)
    if rows.numel() == 0:
        return
    levels = grow.shape[1] // channels
    order = torch.arange(grow.shape[1]).view(levels, channels).T.reshape(-1)
    undecided = edge[rows][:, order]
    left = room[rows] - taken[rows].to(weight.dtype) @ weight.T
    fits = torch.ones_like(undecided)
    for budget in range(weight.shape[0]):
        fits &= (undecided * weight[budget, order]).cumsum(1) <= left[:, budget, None]
    extra = torch.zeros_like(undecided)
    extra[:, order] = undecided & fits
    taken[rows] |= extra


def _tightest(used: Tensor, room: Tensor) -> Tensor:
    """Return the budget of which the largest share is used; one that leaves no room is used up, [D]."""
    return torch.where(room > 0, used.double() / room.clamp_min(1).double(), 1.0).argmax(1)
