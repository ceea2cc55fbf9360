"""The allocator as one loop over devices: the same arithmetic as `chordsim.quant.allocate`, whose words explain it."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.compiled import compiled, counted
from chordsim.kernels.native.vector import LANES, address, copy, number, parted

Array = np.ndarray[Any, Any]
#: Channels that are looked over at once for those that are undecided.
BLOCK = 64


@compiled
def allocate_all(
    where: tuple[int, int, int], prices: tuple[Array, ...], limits: Array, lowest: int, steps: int, out: tuple[Array, ...]
) -> Any:
    """Fill the arrays of ``out``, one device after the other; return whether all utilities are finite, without which nothing there counts.

    Args:
        where: Address of the utilities, float32; bytes from one device's to the next's, none where all have the same; bytes from code to
            code, none where the codes of a channel stand side by side.
        prices: What follows from costs, for B budgets and the L = 3 - ``lowest`` steps of each channel.

            - what a difference of utilities is multiplied by, float32 [6, C]: codes 0 to 1, 0 to 2, 0 to 3, 1 to 2, 1 to 3, 2 to 3
            - whether a code costs what the one below it costs, everywhere, [4]
            - cost of each step in whole units [B, L C], levels one after the other; float32 where sums stay below 2^24 and are exact,
              else float64
            - what all steps cost [B], whole numbers as float64, as are all sums here
            - the first budget that charges like each budget, [B]
            - up to where steps cost anything, [B]
            - what the smallest plan costs [B]
            - size of each budget's whole unit [B]
        limits: [D, B] int64.
        lowest: The smallest code in use.
        steps: Halvings of the multiplier.
        out: Codes uint8 [D, C], refused bool [D], binding int64 [D], multiplier float32 [D].
    """
    slopes, same, weight, total, distinct, until, floor, unit = prices
    codes, refused, binding, multiplier = out
    channels, budgets = codes.shape[1], weight.shape[0]
    levels = 3 - lowest
    flat = np.empty(levels * channels, np.float32)
    grow = flat.reshape(levels, channels)
    # One row for each code: loops over channels then read neighbours.
    u, named = np.empty((4, channels), np.float32), np.empty((4, channels), np.uint8)
    renamed = same.any()
    taken, edge = np.empty(channels, np.float32), np.empty(channels, np.float32)
    room, tight, spent = np.empty(budgets), np.empty(budgets), np.empty(budgets)
    strange = np.zeros(channels, np.float32)
    for d in range(codes.shape[0]):
        _read(where[0] + d * where[1], where[2], u)
        for c in range(channels):
            strange[c] += (u[0, c] + u[1, c] + u[2, c] + u[3, c]) * np.float32(0)
        if renamed:
            _cheapest_first(u, same, lowest, named)
        fits = True
        for b in range(budgets):
            left = min(max(limits[d, b], -(2**62)), 2**62) - floor[b]
            fits &= left >= 0
            room[b] = min(float(left // unit[b]), total[b] + 1)
            tight[b] = room[b]
        for b in range(budgets):
            tight[distinct[b]] = min(tight[distinct[b]], room[b])
        _thresholds(u, slopes, lowest, grow)
        low, high = np.float32(0), np.float32(0)
        free = _fits(flat, weight, distinct, until, tight, total, low)
        if not free:
            high = _more(_largest(grow, taken), np.float32(0))
            for _ in range(steps):
                middle = (low + high) * np.float32(0.5)
                if _fits(flat, weight, distinct, until, tight, total, middle):
                    high = middle
                else:
                    low = middle
        multiplier[d], refused[d] = high, not fits
        if not fits:
            binding[d] = _overrun(floor, limits[d])
            codes[d] = 0
            continue
        _buy(flat, grow, weight, tight, distinct, until, low, high, free, lowest, taken, edge, spent)
        binding[d] = -1 if free else _tightest(spent, room)
        _worth(u, taken, lowest, codes[d])
        if renamed:
            for c in range(channels):
                codes[d, c] = named[codes[d, c], c]
    return not (strange != 0).any()


@compiled
def sum_all(codes: Array, widths: Array, fan_in: Array, macs: Array, out: Array) -> None:
    """Add up the stored bits, the operations, and the operations times their bits of plans [D, C] into ``out`` [3, D]."""
    second, third, fourth = widths[1], widths[2], widths[3]
    for d in range(codes.shape[0]):
        plan = codes[d]
        stored = kept = weighed = np.int64(0)
        for c in range(plan.size):
            # Told apart without a table, so that channels are taken side by side.
            code = plan[c]
            bits = widths[0] if code == 0 else (second if code == 1 else (third if code == 2 else fourth))
            stored += bits * fan_in[c]
            kept += macs[c] if bits > 0 else np.int64(0)
            weighed += bits * macs[c]
        out[0, d], out[1, d], out[2, d] = stored, kept, weighed


@compiled
def _read(row: int, by_code: int, u: Array) -> None:
    """Copy a device's utilities, one row for each code."""
    channels = u.shape[1]
    if by_code:
        for code in range(4):
            copy(address(u) + 4 * channels * code, row + by_code * code, 4 * channels)
        return
    parted(row, address(u), 4 * channels, channels // LANES)
    for c in range(channels // LANES * LANES, channels):
        for code in range(4):
            u[code, c] = number(row + 16 * c + 4 * code)


@compiled
def _cheapest_first(u: Array, same: Array, lowest: int, named: Array) -> None:
    for c in range(u.shape[1]):
        for code in range(4):
            named[code, c] = code
        first = lowest
        for code in range(lowest + 1, 4):
            if not same[code]:
                first = code
            elif u[code, c] > u[first, c]:
                u[first, c], named[first, c] = u[code, c], code
        for code in range(4):
            if same[code]:
                u[code, c] = min(min(u[0, c], u[1, c]), min(u[2, c], u[3, c])) - np.float32(1)


@compiled
def _thresholds(u: Array, slopes: Array, lowest: int, grow: Array) -> None:
    """Return for each code above ``lowest`` the multiplier below which it is worth it; one loop for each ``lowest``, without branches."""
    if lowest == 2:
        for c in range(u.shape[1]):
            grow[0, c] = (u[3, c] - u[2, c]) * slopes[5, c]
    elif lowest == 1:
        for c in range(u.shape[1]):
            s12, s13, s23 = (u[2, c] - u[1, c]) * slopes[3, c], (u[3, c] - u[1, c]) * slopes[4, c], (u[3, c] - u[2, c]) * slopes[5, c]
            grow[0, c], grow[1, c] = _more(s12, s13), _less(s13, s23)
    else:
        for c in range(u.shape[1]):
            s01, s02, s03 = (u[1, c] - u[0, c]) * slopes[0, c], (u[2, c] - u[0, c]) * slopes[1, c], (u[3, c] - u[0, c]) * slopes[2, c]
            s12, s13, s23 = (u[2, c] - u[1, c]) * slopes[3, c], (u[3, c] - u[1, c]) * slopes[4, c], (u[3, c] - u[2, c]) * slopes[5, c]
            grow[0, c] = _more(_more(s01, s02), s03)
            grow[1, c] = _more(_less(s02, s12), _less(s03, s13))
            grow[2, c] = _less(s03, _less(s13, s23))


@compiled
def _more(a: np.float32, b: np.float32) -> np.float32:
    return a if a > b else b


@compiled
def _less(a: np.float32, b: np.float32) -> np.float32:
    return a if a < b else b


@compiled
def _largest(grow: Array, room: Array) -> Any:
    """Return the largest of all thresholds; one half is laid over the other until one is left, so that neighbours are compared at once."""
    left = room.size
    for c in range(left):
        room[c] = grow[0, c]
    for level in range(1, grow.shape[0]):
        for c in range(left):
            room[c] = _more(room[c], grow[level, c])
    while left > 1:
        half = (left + 1) // 2
        for c in range(left - half):
            room[c] = _more(room[c], room[half + c])
        left = half
    return room[0]


@compiled
def _fits(steps: Array, weight: Array, distinct: Array, until: Array, tight: Array, total: Array, price: np.float32) -> bool:
    for b in range(weight.shape[0]):
        if distinct[b] == b and tight[b] < total[b] and _spent(steps, weight, b, until[b], price) > tight[b]:
            return False
    return True


@counted
def _spent(steps: Array, weight: Array, budget: int, until: int, price: np.float32) -> Any:
    used = weight.dtype.type(0)
    for n in range(until):
        used += weight[budget, n] if steps[n] > price else weight.dtype.type(0)
    return used


@compiled
def _buy(
    flat: Array,
    grow: Array,
    weight: Array,
    tight: Array,
    distinct: Array,
    until: Array,
    low: np.float32,
    high: np.float32,
    free: bool,
    lowest: int,
    codes: Array,
    edge: Array,
    spent: Array,
) -> None:
    """Take the steps above ``high``, then in channel order those above ``low`` until one does not fit; count what is spent."""
    levels, channels = grow.shape
    _count(grow, low, high, lowest, codes, edge)
    for b in range(weight.shape[0]):
        spent[b] = _spent(flat, weight, b, until[b], high)
    for first in range(0, 0 if free else channels, BLOCK):
        # Few channels are undecided, so most blocks are passed over at once.
        stop = min(first + BLOCK, channels)
        undecided = _sum(edge[first:stop])
        for c in range(first, stop if undecided > 0 else first):
            if edge[c] == 0:
                continue
            for level in range(levels):
                if not (low < grow[level, c] <= high):
                    continue
                for b in range(weight.shape[0]):
                    if spent[b] + weight[b, level * channels + c] > tight[distinct[b]]:
                        return
                for b in range(weight.shape[0]):
                    spent[b] += weight[b, level * channels + c]
                codes[c] += np.float32(1)


@compiled
def _count(grow: Array, low: np.float32, high: np.float32, lowest: int, codes: Array, edge: Array) -> None:
    """Write the codes that steps above ``high`` make, and how many more steps of each channel lie above ``low``."""
    for c in range(codes.size):
        bought = np.float32(1) if grow[0, c] > high else np.float32(0)
        codes[c] = np.float32(lowest) + bought
        edge[c] = (np.float32(1) if grow[0, c] > low else np.float32(0)) - bought
    for level in range(1, grow.shape[0]):
        for c in range(codes.size):
            bought = np.float32(1) if grow[level, c] > high else np.float32(0)
            codes[c] += bought
            edge[c] += (np.float32(1) if grow[level, c] > low else np.float32(0)) - bought


@counted
def _sum(values: Array) -> Any:
    found = np.float32(0)
    for c in range(values.size):
        found += values[c]
    return found


@compiled
def _worth(u: Array, bought: Array, lowest: int, codes: Array) -> None:
    """Lower a code to the best one below it; chosen without branches, since which one it is cannot be foretold."""
    if lowest == 2:
        for c in range(codes.size):
            codes[c] = np.uint8(3) if (bought[c] > np.float32(2)) & (u[2, c] <= u[3, c]) else np.uint8(2)
        return
    for c in range(codes.size):
        u0, u1, u2, u3 = u[0, c], u[1, c], u[2, c], u[3, c]
        at = code = np.int32(bought[c])
        best = u3 if at == 3 else (u2 if at == 2 else (u1 if at == 1 else u0))
        better = (at > 2) & (u2 > best)
        code, best = np.int32(2) if better else code, u2 if better else best
        better = (at > 1) & (lowest < 2) & (u1 > best)
        code, best = np.int32(1) if better else code, u1 if better else best
        better = (at > 0) & (lowest < 1) & (u0 > best)
        codes[c] = np.int32(0) if better else code


@compiled
def _tightest(spent: Array, room: Array) -> int:
    found, most = 0, -1.0
    for b in range(room.size):
        share = spent[b] / room[b] if room[b] > 0 else 1.0
        if share > most:
            found, most = b, share
    return found


@compiled
def _overrun(floor: Array, limits: Array) -> int:
    found, most = 0, -np.inf
    for b in range(floor.size):
        over = float(floor[b] - limits[b]) / float(max(floor[b], 1))
        if over > most:
            found, most = b, over
    return found
