"""The forecast: many small fleets in closed form, and from how they differ the range in which a run of this size will fall.

Sizes come from `MethodSpec.sizes` and `MethodSpec.needs`; the book and the close are those of a run, so a forecast and a
run differ by luck alone, and by operations that depend on what is prescribed, which are given as an upper and a lower end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chordsim import seeds
from chordsim.arrays import Bools, Floats, Ints
from chordsim.errors import ScenarioError
from chordsim.ledger.round_lines import finished
from chordsim.ledger.rows import Rows
from chordsim.population.generate import Population
from chordsim.round import sizes
from chordsim.round.item_pilot import PARTS
from chordsim.sized import SizedWorld

#: Fleets that are compared, and phones of each at most: one in a hundred of the run's, within these ends.
FLEETS, PHONES = PARTS, (500, 4000)
MOST_DEVICES = 100_000_000
#: Half width of the range in standard deviations of a run: 1.645 would hold 90 % of normal luck for one number; the rest is
#: for what 24 fleets cannot tell about their own spread, and for a run whose many numbers share one luck.
WIDTH = 3.0
ALL = "all"
QUANTITIES = (
    "served_share",
    "refused_share",
    "down_bytes_per_device",
    "up_bytes_per_device",
    "wasted_bytes_per_device",
    "p50_total_s",
    "joules_per_device",
)

#: What can be told of a method whose operations and refusals have no closed form.
BYTES = ("down_bytes_per_device", "up_bytes_per_device")


@dataclass(frozen=True)
class Range:
    """One quantity: the middle, and the ends of the range that holds at least nine runs of ten."""

    low: float
    middle: float
    high: float


Forecast = dict[str, dict[str, dict[str, Range]]]
"""By method, then group (tier, where nothing else is asked) or ``all``, then quantity."""


def forecast(world: SizedWorld, by: str = "tier") -> Forecast:
    """Return the forecast of a scenario.

    Args:
        world: The scenario without its people.
        by: What phones are grouped by: one of `Population.columns`.

    Raises:
        UserError: Phones have no such column.
        ScenarioError: The deadline is shorter than the fastest phone's round.
        RunError: A method's sizes are not known before training.
    """
    small = _small(world)
    weight = math.sqrt(small.population.selected / FLEETS / world.population.selected)
    parts = sizes.bootstraps(small)
    words = group_words(small.population, by)
    out: Forecast = {}
    fastest_s = math.inf
    for least, most in zip(sizes.players(small, parts, 0), sizes.players(small, parts, 1), strict=True):
        ends = []
        # Where users do not matter the two ends are one method, which is played once.
        for player in (least, most) if least[0].spec != most[0].spec else (most,):
            sums = _Sums(words, world.scenario.rounds.requests_per_round)
            for rows in _rounds(player, small):
                group = rows["tier"] if by == "tier" else small.population.labelled(rows["device_id"], by)[0]
                sums.add(rows, group, _least_share(player[1], small))
                some = rows.is_word("outcome", "served", "late")
                fastest_s = min(fastest_s, float(rows["total_s"][some].min(initial=math.inf)))
            known = player[1].needs_of(0, small.population.profiles(np.arange(1))) is not None
            ends.append(sums.ranges(weight, QUANTITIES if known else BYTES))
        out[most[0].spec.name] = _spanned(ends[0], ends[-1])
    deadline = world.scenario.clock.deadline_s
    if 0 < deadline < fastest_s < math.inf:
        raise ScenarioError(
            f"clock.deadline_s = {deadline:g} is shorter than the fastest phone's round, {fastest_s:.3g} s: nobody would be served"
        )
    return out


def group_words(phones: Population, by: str) -> tuple[str, ...]:
    """Return the groups of a column in the order of their codes; none is called as the line over all is.

    Raises:
        UserError: Phones have no such column.
    """
    _, words = phones.labelled(np.zeros(0, np.int64), by)
    return tuple(f"{word} ({by})" if word == ALL else word for word in words)


def beside(predicted: Forecast, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the forecast beside what the run's summary measured, as JSON: low, middle, high, measured, inside."""
    out: dict[str, Any] = {}
    for method, tiers in predicted.items():
        measured = summary["methods"].get(method, {})
        for tier, quantities in tiers.items():
            found = measured if tier == ALL else measured.get("per_tier", {}).get(tier, {})
            for name, predicted_range in quantities.items():
                line: dict[str, Any] = asdict(predicted_range)
                value = _measured(found, name)
                if value is not None:
                    line |= {"measured": value, "inside": predicted_range.low <= value <= predicted_range.high}
                out.setdefault(method, {}).setdefault(tier, {})[name] = line
    return out


def as_json(predicted: Forecast) -> dict[str, Any]:
    """Return the forecast as JSON."""
    return {m: {t: {q: asdict(r) for q, r in quantities.items()} for t, quantities in tiers.items()} for m, tiers in predicted.items()}


def _measured(found: dict[str, Any], name: str) -> float | None:
    if name == "wasted_bytes_per_device":
        rounds = found.get("device_rounds")
        return found["wasted_bytes"] / rounds if rounds and "wasted_bytes" in found else None
    if name == "refused_share" and "outcomes" in found:
        total = sum(found["outcomes"].values())
        return found["outcomes"]["refused"] / total if total else None
    value = found.get(name)
    return None if value is None else float(value)


def _small(world: SizedWorld) -> SizedWorld:
    """Return `FLEETS` small fleets in one, under a seed of their own, with the scenario's chance to be selected."""
    phones, config = world.population, world.scenario.population
    wanted = min(phones.wanted, max(PHONES[0], min(phones.wanted // 100, PHONES[1]))) * FLEETS
    devices = min(math.ceil(phones.size * wanted / phones.wanted), MOST_DEVICES)
    changed = config.model_copy(update={"devices": devices, "selected": wanted if config.selected else 0, "activity_tier": 0.0})
    seed = seeds.key(world.scenario.seed, "forecast") >> 1
    scenario = world.scenario.model_copy(update={"population": changed, "seed": seed})
    # Who the users are changes no size, so there is one.
    population = Population(changed, seed, 1, phones.fp32_peak_bytes, pace=phones.pace)
    return SizedWorld(scenario, population, world.specs, world.n_items, 1, world.train_logs)


def _rounds(player: sizes.Player, world: SizedWorld) -> Iterator[Rows]:
    for round in range(1, world.scenario.rounds.count + 1):
        for played in sizes.play(player, world, round, world.population.select(round)):
            yield played.rows


def _least_share(teller: sizes.Sizes, world: SizedWorld) -> float:
    """Return the least share of the upper end's operations that a plan may need."""
    needs = teller.needs_of(0, world.population.profiles(np.arange(1000)))
    if needs is None or not needs.cost.macs.any():
        return 1.0
    return float((needs.least_macs / np.maximum(needs.cost.macs, 1)).min())


class _Sums:
    """What each small fleet summed up, by group and over all."""

    def __init__(self, words: Sequence[str], requests: int) -> None:
        self._requests, self._least = requests, 1.0
        self._groups = [ALL, *words]
        names = ("rows", "served", "refused", "down", "up", "wasted", "joules", "least_joules")
        self._sums = {name: np.zeros((FLEETS, len(self._groups))) for name in names}
        self._times: list[tuple[Ints, Ints, Floats, Floats]] = []

    def add(self, rows: Rows, group: Ints, least_share: float) -> None:
        """Take in one block, and the group of each row."""
        fleet = rows["device_id"] % FLEETS
        joules = rows["compute_j"] + rows["radio_j"]
        values = {
            "rows": np.ones(len(rows)),
            "served": rows.is_word("outcome", "served"),
            "refused": rows.is_word("outcome", "refused"),
            "down": rows["down_bytes"],
            "up": rows["up_bytes"],
            "wasted": rows["wasted_bytes"],
            "joules": joules,
            "least_joules": rows["radio_j"] + least_share * rows["compute_j"],
        }
        for name, value in values.items():
            flat = np.bincount(fleet * len(self._groups) + group + 1, value.astype(np.float64), self._sums[name].size)
            table = flat.reshape(self._sums[name].shape)
            table[:, 0] = table[:, 1:].sum(1)
            self._sums[name] += table
        done = finished(rows)
        total = rows["total_s"][done]
        self._times.append((fleet[done], group[done] + 1, total, rows["infer_s"][done] * self._requests))
        self._least = least_share

    def ranges(self, weight: float, names: tuple[str, ...]) -> dict[str, dict[str, Range]]:
        """Return the ranges of these quantities by group; what no fleet has is left out."""
        return {word: found for i, word in enumerate(self._groups) if (found := self._group(i, weight, names))}

    def _group(self, group: int, weight: float, names: tuple[str, ...]) -> dict[str, Range]:
        s = {name: table[:, group] for name, table in self._sums.items()}
        some: Bools = s["rows"] > 0
        if not some.any():
            return {}

        def share(name: str) -> Floats:
            return np.asarray(s[name][some] / s["rows"][some])

        pairs = {
            "served_share": (share("served"), share("served")),
            "refused_share": (share("refused"), share("refused")),
            "down_bytes_per_device": (share("down"), share("down")),
            "up_bytes_per_device": (share("up"), share("up")),
            "wasted_bytes_per_device": (share("wasted"), share("wasted")),
            "joules_per_device": (share("least_joules"), share("joules")),
            "p50_total_s": self._medians(group),
        }
        return {name: _range(low, high, weight) for name in names for low, high in [pairs[name]] if high.size > 1}

    def _medians(self, group: int) -> tuple[Floats, Floats]:
        fleet, which, total, infer = (np.concatenate([t[n] for t in self._times]) for n in range(4))
        mine = (which == group) if group else np.ones(fleet.size, np.bool_)
        low, high = [], []
        for number in range(FLEETS):
            here = mine & (fleet == number)
            if here.any():
                high.append(float(np.median(total[here])))
                low.append(float(np.median(total[here] - (1 - self._least) * infer[here])))
        return np.array(low), np.array(high)


def _spanned(one: dict[str, dict[str, Range]], other: dict[str, dict[str, Range]]) -> dict[str, dict[str, Range]]:
    """Return ranges that hold those of both, by tier and quantity; one that only one of them has is as wide as it is."""
    out: dict[str, dict[str, Range]] = {}
    for tier in {**one, **other}:
        ours, theirs = one.get(tier, {}), other.get(tier, {})
        out[tier] = {name: _both(ours.get(name), theirs.get(name)) for name in {**ours, **theirs}}
    return out


def _both(one: Range | None, other: Range | None) -> Range:
    both = [found for found in (one, other) if found is not None]
    return Range(min(r.low for r in both), sum(r.middle for r in both) / len(both), max(r.high for r in both))


def _range(low: Floats, high: Floats, weight: float) -> Range:
    """Return the range over fleets: a run's own luck, which is less in a larger run, and that of the forecast's middle."""
    ends = (float(low.mean()), float(high.mean()))
    half = [WIDTH * float(values.std(ddof=1)) * math.sqrt(weight**2 + 1 / FLEETS) for values in (low, high)]
    least, most = ends[0] - half[0], ends[1] + half[1]
    return Range(max(least - 1e-9 * abs(least), 0.0), sum(ends) / 2, most + 1e-9 * abs(most))
