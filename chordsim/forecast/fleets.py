"""What small fleets summed up, and the range that their differences give a run of another size."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Bools, Floats, Ints
from chordsim.config.model import Scenario
from chordsim.ledger.figures import UNSERVED
from chordsim.ledger.round_lines import finished
from chordsim.ledger.rows import Rows
from chordsim.ledger.served import ENERGY, product_up, tail_j
from chordsim.population.profile import assumed_energy
from chordsim.round.item_pilot import PARTS

#: Fleets that are compared.
FLEETS = PARTS
#: Half width of the range in standard deviations of a run: 1.645 would hold 90 % of normal luck for one number; the rest is
#: for what 24 fleets cannot tell about their own spread, and for a run whose many numbers share one luck.
WIDTH = 3.0
ALL = "all"
_SUMS = ("rows", "served", *UNSERVED, "down", "up", "product_up", "wasted")
#: Parts of the joules; all of them once with the most operations, once with the least.
_ENERGY = ("joules", "least_joules", "tail", "radio", "compute")
#: Sums over served sessions alone.
_SESSION = ("down", "up", *_ENERGY)
#: Per device-round or of all joules, for what the whole fleet comes to; told beside the quantities that are asked for.
OF_ALL = ("product_up_bytes_per_device", "all_assumed_share")
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

Ends = tuple[Floats, Floats]
"""A quantity by fleet where operations are least, and where they are most."""


@dataclass(frozen=True)
class Range:
    """One quantity: the middle, and the ends of the range that holds at least nine runs of ten."""

    low: float
    middle: float
    high: float


class Sums:
    """What each small fleet summed up, by group and over all."""

    def __init__(self, words: Sequence[str], scenario: Scenario) -> None:
        """Start empty.

        Args:
            words: Names of the groups, in the order of their codes.
            scenario: Says how often a phone is asked, whether the report counts, and where phones come from.
        """
        self._requests, self._counts_report = scenario.rounds.requests_per_round, scenario.clock.count_report
        self._assumed, self._least = assumed_energy(scenario.population.source), 1.0
        self._groups = [ALL, *words]
        self._sums = {name: np.zeros((FLEETS, len(self._groups))) for name in (*_SUMS, *_ENERGY, *(f"session_{n}" for n in _SESSION))}
        self._times: list[tuple[Ints, Ints, Bools, Floats, Floats, Floats]] = []

    def add(self, rows: Rows, group: Ints, weights: Floats, least_share: float) -> None:
        """Take in one block.

        Args:
            rows: Its rows; a phone belongs to the fleet of its id modulo `FLEETS`.
            group: Group of each row, [D].
            weights: How many rows of the run each stands for, [D].
            least_share: Share of the operations on record that a phone may need at least.
        """
        fleet, served, product = rows["device_id"] % FLEETS, rows.is_word("outcome", "served"), product_up(rows, self._counts_report)
        energy = {
            "joules": rows["compute_j"] + rows["radio_j"],
            "least_joules": rows["radio_j"] + least_share * rows["compute_j"],
            "tail": tail_j(rows),
            "radio": rows["radio_j"],
            "compute": rows["compute_j"],
        }
        session = {"down": rows["down_bytes"] - rows["bootstrap_bytes"], "up": product, **energy}
        values = {
            "rows": np.ones(len(rows)),
            "served": served,
            **{outcome: rows.is_word("outcome", outcome) for outcome in UNSERVED},
            "down": rows["down_bytes"],
            "up": rows["up_bytes"],
            "product_up": product,
            "wasted": rows["wasted_bytes"],
            **energy,
            **{f"session_{name}": np.where(served, value, 0) for name, value in session.items()},
        }
        for name, value in values.items():
            flat = np.bincount(fleet * len(self._groups) + group + 1, value * weights, self._sums[name].size)
            table = flat.reshape(self._sums[name].shape)
            table[:, 0] = table[:, 1:].sum(1)
            self._sums[name] += table
        done = finished(rows)
        spent = rows["infer_s"][done] * self._requests
        self._times.append((fleet[done], group[done] + 1, served[done], rows["total_s"][done], spent, weights[done]))
        self._least = least_share

    def ranges(self, weight: float, names: Collection[str]) -> dict[str, dict[str, Range]]:
        """Return the ranges of these quantities by group; what no fleet has is left out.

        Args:
            weight: How much a run of this size varies, of what a fleet does.
            names: Quantities; what is per device-round of the whole fleet comes besides.
        """
        times = self._all_times()
        return {word: found for i, word in enumerate(self._groups) if (found := self._group(i, weight, names, times))}

    def _group(self, group: int, weight: float, names: Collection[str], times: dict[str, tuple[Floats, Floats]]) -> dict[str, Range]:
        s = {name: table[:, group] for name, table in self._sums.items()}
        if not (s["rows"] > 0).any():
            return {}
        pairs = {
            "served_share": _both(_ratio(s["served"], s["rows"])),
            **{f"{outcome}_share": _both(_ratio(s[outcome], s["rows"])) for outcome in UNSERVED},
            "down_bytes_per_device": _both(_ratio(s["down"], s["rows"])),
            "up_bytes_per_device": _both(_ratio(s["up"], s["rows"])),
            "product_up_bytes_per_device": _both(_ratio(s["product_up"], s["rows"])),
            "wasted_bytes_per_device": _both(_ratio(s["wasted"], s["rows"])),
            "joules_per_device": (_ratio(s["least_joules"], s["rows"]), _ratio(s["joules"], s["rows"])),
            "per_session_down_bytes": _both(_ratio(s["session_down"], s["served"])),
            "per_session_up_bytes": _both(_ratio(s["session_up"], s["served"])),
            "per_session_joules": (_ratio(s["session_least_joules"], s["served"]), _ratio(s["session_joules"], s["served"])),
            "tail_share": (_ratio(s["session_tail"], s["session_joules"]), _ratio(s["session_tail"], s["session_least_joules"])),
            "assumed_share": self._assumed_share(s, "session_"),
            "all_assumed_share": self._assumed_share(s, ""),
            **{name: (_some(low[:, group]), _some(high[:, group])) for name, (low, high) in times.items()},
        }
        wanted = {name: pairs[name] for name in (*names, *OF_ALL) if name in pairs}
        return {
            name: _range(low, high, weight, 1.0 if name.endswith("_share") else math.inf)
            for name, (low, high) in wanted.items()
            if high.size > 1
        }

    def _assumed_share(self, s: dict[str, Floats], of: str) -> Ends:
        """Return the share of the joules that rests on assumed constants: of served sessions (``of`` is ``session_``), or of all rows."""
        joules, least, tail, radio, compute = (s[f"{of}{name}"] for name in _ENERGY)
        if set(self._assumed) == set(ENERGY):
            whole = np.ones(int((joules > 0).sum()))
            return whole, whole
        parts = {"tail": tail, "transfer": radio - tail, "compute": compute}
        assumed = sum((parts[name] for name in self._assumed), np.zeros(FLEETS))
        return _ratio(assumed, joules), _ratio(assumed, least)

    def _all_times(self) -> dict[str, tuple[Floats, Floats]]:
        """Return quantiles of seconds by fleet and group, [FLEETS, groups], with the least operations and with the most."""
        if not self._times:
            return {}
        fleet, group, served, total, infer, weights = (np.concatenate([t[n] for t in self._times]) for n in range(6))
        ends = (total - (1 - self._least) * infer, total)
        of_all = tuple(self._quantiles(values, fleet, group, (0.5,), weights)[0] for values in ends)
        shares, own = tuple(_SHARES.values()), (fleet[served], group[served])
        of_served = [self._quantiles(values[served], *own, shares, weights[served]) for values in ends]
        out = {"p50_total_s": (of_all[0], of_all[1])}
        for place, name in enumerate(_SHARES):
            out[f"per_session_seconds_{name}"] = (of_served[0][place], of_served[1][place])
        return out

    def _quantiles(self, values: Floats, fleet: Ints, group: Ints, shares: tuple[float, ...], weights: Floats) -> list[Floats]:
        """Return quantiles by fleet and group, the first group being all; NaN where a fleet has none."""
        groups = len(self._groups)
        out = [np.full((FLEETS, groups), np.nan) for _ in shares]
        for place, found in enumerate(segment_quantiles(values, fleet, FLEETS, shares, weights)):
            out[place][:, 0] = found
        for place, found in enumerate(segment_quantiles(values, fleet * groups + group, FLEETS * groups, shares, weights)):
            out[place][:, 1:] = found.reshape(FLEETS, groups)[:, 1:]
        return out


def segment_quantiles(values: Floats, segment: Ints, segments: int, shares: Sequence[float], weights: Floats | None = None) -> list[Floats]:
    """Return quantiles of the values of each segment, NaN for one without, as `numpy.quantile` has them; in one sort for all.

    Args:
        values: [N].
        segment: Whose they are, [N], from 0.
        segments: How many there are.
        shares: Which quantiles.
        weights: How many equal values each stands for, [N]; None for one. Where they differ, a quantile is the first value up to which
            that share of the weight lies.
    """
    order = np.lexsort((values, segment))
    ordered = values[order]
    if weights is not None and weights.size and float(np.ptp(weights)) > 0:
        return _weighted(ordered, segment[order], weights[order], segments, shares)
    counts = np.bincount(segment, minlength=segments)
    starts, some = np.cumsum(counts) - counts, counts > 0
    out = []
    for share in shares:
        found, place = np.full(segments, np.nan), share * (counts[some] - 1)
        low = np.floor(place).astype(np.int64)
        one, two = (ordered[starts[some] + np.minimum(low + step, counts[some] - 1)] for step in (0, 1))
        found[some] = one + (place - low) * (two - one)
        out.append(found)
    return out


def _weighted(ordered: Floats, segment: Ints, weights: Floats, segments: int, shares: Sequence[float]) -> list[Floats]:
    """Return weighted quantiles of values that are sorted by segment, then by value."""
    counts = np.bincount(segment, minlength=segments)
    ends = np.cumsum(counts)
    whole = np.concatenate([[0.0], np.cumsum(weights)])
    out, some = [], counts > 0
    for share in shares:
        found = np.full(segments, np.nan)
        before, after = whole[ends[some] - counts[some]], whole[ends[some]]
        place = np.searchsorted(whole[1:], before + share * (after - before))
        found[some] = ordered[np.clip(place, ends[some] - counts[some], ends[some] - 1)]
        out.append(found)
    return out


def _some(values: Floats) -> Floats:
    return np.asarray(values[~np.isnan(values)])


def _ratio(part: Floats, whole: Floats) -> Floats:
    some = whole > 0
    return np.asarray(part[some] / whole[some])


def _both(values: Floats) -> Ends:
    return values, values


def _range(low: Floats, high: Floats, weight: float, most: float) -> Range:
    """Return the range over fleets: a run's own luck, which is less in a larger run, and that of the forecast's middle."""
    ends = (float(low.mean()), float(high.mean()))
    half = [WIDTH * float(values.std(ddof=1)) * math.sqrt(weight**2 + 1 / FLEETS) for values in (low, high)]
    least, top = ends[0] - half[0], ends[1] + half[1]
    return Range(max(least - 1e-9 * abs(least), 0.0), sum(ends) / 2, min(top + 1e-9 * abs(top), most))
