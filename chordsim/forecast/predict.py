"""The forecast: many small fleets in closed form, and from how they differ the range in which a run of this size will fall.

Sizes come from `MethodSpec.sizes` and `MethodSpec.needs`; the book and the close are those of a run, so a forecast and a
run differ by luck alone, and by operations that depend on what is prescribed, which are given as an upper and a lower end.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from chordsim import seeds
from chordsim.arrays import Floats
from chordsim.errors import RunError, ScenarioError, UserError
from chordsim.forecast.fleets import ALL as ALL
from chordsim.forecast.fleets import FLEETS as FLEETS
from chordsim.forecast.fleets import Range as Range
from chordsim.forecast.fleets import Sums
from chordsim.forecast.turns import turns
from chordsim.ledger.figures import PLACES, UNSERVED, at, share_of
from chordsim.ledger.round_lines import finished
from chordsim.ledger.rows import Rows
from chordsim.methods import MethodSpec
from chordsim.population.generate import Population
from chordsim.round import sizes
from chordsim.sized import SizedWorld

#: Phones of each small fleet: one in a hundred of the run's, within these ends.
PHONES = (500, 4000)
MOST_DEVICES = 100_000_000
QUANTITIES = tuple(PLACES)
#: Per device-round and in which unit it adds up to each total.
_FLEET = {
    "fleet_down_gb": ("down_bytes_per_device", 1e-9),
    "fleet_up_gb": ("product_up_bytes_per_device", 1e-9),
    "fleet_wasted_gb": ("wasted_bytes_per_device", 1e-9),
    "fleet_kwh": ("joules_per_device", 1 / 3.6e6),
}
#: What can be told of a method whose operations and refusals have no closed form.
BYTES = tuple(name for name in QUANTITIES if name.endswith(("_bytes", "_bytes_per_device", "down_gb", "up_gb")) and "wasted" not in name)


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
    if world.scenario.rounds.mode == "buffered":
        raise UserError('rounds.mode = "buffered" cannot be forecast: who comes first decides who is asked next')
    small = _small(world)
    weight = math.sqrt(small.population.selected / FLEETS / world.population.selected)
    # Of the scenario itself: the bootstrap tells its seed, and that of the small fleets has more digits.
    parts = sizes.bootstraps(world)
    words = group_words(small.population, by)
    out: Forecast = {}
    fastest_s = math.inf
    for played in _ends(small, parts):
        ends = []
        for player in played:
            sums = Sums(words, world.scenario)
            least_share = _least_share(player[1], small)
            for rows, weights in _rounds(player, small):
                group = rows["tier"] if by == "tier" else small.population.labelled(rows["device_id"], by)[0]
                sums.add(rows, group, weights, least_share)
                fastest_s = min(fastest_s, _fastest_s(rows))
            known = player[1].needs_of(0, small.population.profiles(np.arange(1))) is not None
            ends.append(sums.ranges(weight, QUANTITIES if known else BYTES))
        found = _spanned(ends[0], ends[-1])
        name = played[-1][0].spec.name
        if ALL in found:
            found[ALL] |= _whole(found[ALL], [parts[name], *(method.parts for method, _ in played)], world.specs[name], world)
        out[name] = {tier: {name: of[name] for name in QUANTITIES if name in of} for tier, of in found.items()}
    _refuse_deadline(world, fastest_s)
    return out


def check_deadline(world: SizedWorld) -> None:
    """Refuse a deadline that no phone meets, as a run does before it plays anything.

    Raises:
        ScenarioError: The deadline is shorter than the fastest phone's round.
    """
    deadline = world.scenario.clock.deadline_s
    if not deadline or world.scenario.rounds.mode == "buffered":
        return
    with contextlib.suppress(RunError):  # sizes of a method that are not known before training tell nothing
        fastest_s, small = math.inf, _small(world)
        for played in _ends(small, sizes.bootstraps(world)):
            for player in played:
                for rows, _ in _rounds(player, small):
                    fastest_s = min(fastest_s, _fastest_s(rows))
                    if fastest_s <= deadline:  # one phone is enough, and most often among the first that are played
                        return
        _refuse_deadline(world, fastest_s)


def _refuse_deadline(world: SizedWorld, fastest_s: float) -> None:
    deadline = world.scenario.clock.deadline_s
    if 0 < deadline < fastest_s < math.inf:
        raise ScenarioError(
            f"clock.deadline_s = {deadline:g} is shorter than the fastest phone's round, {fastest_s:.3g} s: nobody would be served"
        )


def _fastest_s(rows: Rows) -> float:
    return float(rows["total_s"][finished(rows)].min(initial=math.inf))


def _ends(small: SizedWorld, parts: dict[str, dict[str, int]]) -> Iterator[tuple[sizes.Player, ...]]:
    """Yield each method at its two ends, or once where neither users nor training matter to what it takes.

    Args:
        small: Who plays.
        parts: What the bootstraps weigh untrained.
    """
    least, most = sizes.bootstrap_ends(small, parts)
    for one, other in zip(sizes.players(small, least, 0), sizes.players(small, most, 1), strict=True):
        yield (other,) if one[0].spec == other[0].spec and one[0].parts == other[0].parts else (one, other)


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
    outcome = name.removesuffix("_share")
    return share_of(found, outcome) if outcome in UNSERVED and "outcomes" in found else at(found, *PLACES[name])


def _whole(per_device: dict[str, Range], parts: Sequence[Mapping[str, int]], spec: MethodSpec, world: SizedWorld) -> dict[str, Range]:
    """Return what a method's phones download once and anew, and what the whole run's device-rounds come to.

    Args:
        per_device: What is told of all phones.
        parts: Bytes of the bootstrap by label: untrained, and at the ends that training may lead to. Where these are one, they are exact.
        spec: The method.
        world: The scenario.
    """
    device_rounds = world.population.selected * world.scenario.rounds.count
    out = {"first_contact_down_bytes": _of_parts(parts, None)}
    if spec.renewing or not spec.learns:
        out["per_version_down_bytes"] = _of_parts(parts, spec.renews)
    for name, (of, unit) in _FLEET.items():
        if of in per_device:
            one = per_device[of]
            out[name] = Range(*(value * device_rounds * unit for value in (one.low, one.middle, one.high)))
    if "fleet_kwh" in out and "all_assumed_share" in per_device:
        out["fleet_assumed_share"] = per_device["all_assumed_share"]
    return out


def _of_parts(parts: Sequence[Mapping[str, int]], labels: Collection[str] | None) -> Range:
    """Return the bytes of some parts together, None for all."""
    middle, *ends = (sum(size for label, size in of.items() if labels is None or label in labels) for of in parts)
    return Range(min(ends) * (1 - 1e-9), middle, max(ends) * (1 + 1e-9))


def _small(world: SizedWorld) -> SizedWorld:
    """Return `FLEETS` small fleets in one, under a seed of their own, with the scenario's chance to be selected."""
    phones, config = world.population, world.scenario.population
    wanted = min(phones.wanted, max(PHONES[0], min(phones.wanted // 100, PHONES[1]))) * FLEETS
    devices = min(math.ceil(phones.size * wanted / phones.wanted), MOST_DEVICES)
    changed = config.model_copy(update={"devices": devices, "selected": wanted if config.selected else 0, "activity_tier": 0.0})
    seed = seeds.key(world.scenario.seed, "forecast") >> 1
    scenario = world.scenario.model_copy(update={"population": changed, "seed": seed})
    # Who the users are changes no size, so there is one.
    population = Population(changed, seed, 1, phones.fp32_peak_bytes, pace=phones.pace, model=phones.model)
    return SizedWorld(scenario, population, world.specs, world.n_items, 1, world.train_logs)


def _rounds(player: sizes.Player, world: SizedWorld) -> Iterator[tuple[Rows, Floats]]:
    """Yield rows, and how many each stands for: a run of any number of rounds is told from a bounded number of them."""
    phones, learns = world.population, player[0].spec.renewing
    for turn in turns(world.scenario, min(phones.selected / phones.size, 1.0), learns=learns):
        for played in sizes.play(player, world, turn.round, phones.select(turn.round)):
            first = played.rows["bootstrap_bytes"] > 0
            again = ~first & ~played.rows.is_word("outcome", "offline", "refused")
            weights = np.full(len(played.rows), turn.weight)
            if again.any():
                # Whoever need not download any more is one more of those that come back.
                weights[first] = turn.first
                weights[again] += (turn.weight - turn.first) * np.count_nonzero(first) / np.count_nonzero(again)
            yield played.rows, weights


def _least_share(teller: sizes.Sizes, world: SizedWorld) -> float:
    """Return the least share of the upper end's operations that a plan may need."""
    needs = teller.needs_of(0, world.population.profiles(np.arange(1000)))
    if needs is None or not needs.cost.macs.any():
        return 1.0
    return float((needs.least_macs / np.maximum(needs.cost.macs, 1)).min())


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
