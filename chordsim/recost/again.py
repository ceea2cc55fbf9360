"""Recost: the rounds of a finished run played again in sizes on other phones, with the plans and ranks that were recorded.

What cannot be recosted is counted, not guessed: a phone that would be served now but was not then, one whose plan would
have been another, and one that would show another old plan than it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chordsim import evaluate
from chordsim.arrays import Bools, Floats
from chordsim.config.model import Scenario
from chordsim.errors import ScenarioError, UserError
from chordsim.ledger.parquet import iter_rows
from chordsim.ledger.rows import Rows
from chordsim.ledger.summary import Summary
from chordsim.methods import Given
from chordsim.population.generate import Population
from chordsim.recost import rerun
from chordsim.report.source import Source
from chordsim.round import sizes
from chordsim.round.recorded import player as recorded_player
from chordsim.scenario.load import load
from chordsim.sized import SizedWorld, sized_world
from chordsim.world import pace_of

#: Keys that leave what was computed as it is. Another selection or assignment asks other users.
_MAY_CHANGE = ("population.", "clock.", "rounds.requests_per_round", "rounds.new_model_every", "protocol.admission")
_MAY_NOT = ("population.devices", "population.selected", "population.activity_tier", "clock.over_select")


@dataclass(frozen=True)
class Recosted:
    """What the run would have cost.

    Attributes:
        changed: Keys that differ from the run's, with both values.
        before: The run's own summary by method.
        after: The same quantities on the other phones.
        unknown: By method, the share of device-rounds whose rank cannot be told, by reason.
    """

    changed: dict[str, tuple[Any, Any]]
    before: dict[str, Any]
    after: dict[str, Any]
    unknown: dict[str, dict[str, float]]


def recost(run: Path, overrides: Sequence[str]) -> Recosted:
    """Play a finished run again on other phones.

    Args:
        run: The run directory.
        overrides: ``key=value`` texts over the run's scenario.

    Raises:
        ScenarioError: An override that would change what was computed.
        UserError: Not a run directory, or one without rows.
    """
    path = run / "scenario.toml"
    if not path.is_file():
        raise UserError(f"{run}: not a run directory: no scenario.toml in it")
    old, new = load(path), load(path, overrides)
    changed = _changed(old, new)
    if (run / "trips.parquet").is_file():
        return _flower(run, old, new, changed)
    world = sized_world(new)
    if new.protocol.metrics == "none":
        return Recosted(changed, rerun.before(Source.read(run)), rerun.after(world), {})
    former = Population(old.population, old.seed, world.n_users, world.population.fp32_peak_bytes, pace=pace_of(old))
    tiers = list(new.population.tiers)
    before, after = Summary(world.n_users, list(old.population.tiers), old.seed), Summary(world.n_users, tiers, new.seed)
    unknown: dict[str, dict[str, int]] = {}
    rounds: dict[str, list[Rows]] = {}
    for rows in iter_rows(run):
        rounds.setdefault(rows.method, []).append(rows)
        before.add(rows)
    for name, recorded in rounds.items():
        counts = unknown.setdefault(name, {"not served then": 0, "another plan": 0, "another old plan": 0, "rows": 0})
        for rows in _again(world, former, name, recorded, counts):
            after.add(rows)
    shares = {name: {why: n / max(c["rows"], 1) for why, n in c.items() if why != "rows"} for name, c in unknown.items()}
    return Recosted(changed, before.methods(), after.methods(), shares)


def _flower(run: Path, old: Scenario, new: Scenario, changed: dict[str, tuple[Any, Any]]) -> Recosted:
    """Recost a Flower app's run: it ranks nothing, and its messages are what they were."""
    # Flower is loaded only for its own runs.
    from chordsim.flower.again import recosted, summed

    found = recosted(run, new)
    before = summed(list(iter_rows(run)), list(old.population.tiers), old.seed)
    after = {name: summed(told.rows, list(new.population.tiers), new.seed)[name] for name, told in found.items()}
    unknown = {name: {"not heard then, so of the median size": told.guessed} for name, told in found.items()}
    return Recosted(changed, before, after, unknown)


def _again(world: SizedWorld, former: Population, name: str, recorded: list[Rows], counts: dict[str, int]) -> Iterator[Rows]:
    """Yield the rows of one method's rounds on the other phones."""
    context = world.context(name)
    spec = world.specs[name].ends(context)[1]
    by_round = {rows.round: rows for rows in recorded}
    player = recorded_player(world, spec, context, by_round)
    for round in sorted(by_round):
        then = by_round[round]
        at = 0
        for played in sizes.play(player, world, round, then["device_id"]):
            rows = played.rows
            part = slice(at, at + len(rows))
            at += len(rows)
            now, before = (phones.profiles(rows["device_id"]).budgets for phones in (world.population, former))
            same = spec.unchanged(context, _given(then, part), now, before)
            yield _with_ranks(rows, then, part, same if same is not None else np.ones(len(rows), np.bool_), world.n_items, counts)


def _given(then: Rows, part: slice) -> Given:
    return Given(then["peak_memory_bytes"][part], then["macs"][part], then.floats("bits_mean")[part], then.texts("binding")[part])


def _with_ranks(rows: Rows, then: Rows, part: slice, same: Bools, n_items: int, counts: dict[str, int]) -> Rows:
    """Put recorded ranks where they still hold, and count where none can be told."""
    rank = then.floats("rank")[part]
    fresh = rows.is_word("served_by", "fresh")
    stale = rows.is_word("served_by", "stale")
    then_fresh, then_stale = (then.is_word("served_by", word)[part] for word in ("fresh", "stale"))
    age_now, age_then = rows.floats("plan_age_rounds"), then.floats("plan_age_rounds")[part]
    old_holds = stale & ((then_stale & ((age_now == age_then) | np.isnan(age_now))) | (then_fresh & np.isnan(age_now)))
    holds = (fresh & then_fresh & same) | (old_holds & same)
    counts["rows"] += len(rows)
    counts["not served then"] += int((fresh & ~then_fresh).sum())
    counts["another plan"] += int((fresh & then_fresh & ~same).sum())
    counts["another old plan"] += int((stale & ~(old_holds & same)).sum())
    known: Floats = np.where(holds, rank, np.nan)
    metrics = evaluate.metrics(known, n_items)
    seen = then.floats("fallback_rank")[part]
    fallback = evaluate.metrics(seen, n_items)["ndcg_10"]
    shown = np.where(holds, metrics["ndcg_10"], np.where(fresh | stale, np.nan, fallback))
    columns = {"rank": known, **metrics, "fallback_rank": seen, "ndcg_10_all": shown}
    values = {**rows.values, **{name: np.nan_to_num(value, nan=0.0) for name, value in columns.items()}, "user_id": then["user_id"][part]}
    nulls = {**rows.nulls, **{name: np.isnan(value) for name, value in columns.items()}}
    return Rows(rows.method, rows.round, values, nulls, rows.words)


def _changed(old: Scenario, new: Scenario) -> dict[str, tuple[Any, Any]]:
    """Return which keys differ.

    Raises:
        ScenarioError: One that recost cannot change, or none at all.
    """
    one, two = dict(_leaves(old.model_dump(mode="json"))), dict(_leaves(new.model_dump(mode="json")))
    out = {key: (one.get(key), two.get(key)) for key in sorted({*one, *two}) if one.get(key) != two.get(key)}
    for key in out:
        if key.startswith(_MAY_NOT) or not key.startswith(_MAY_CHANGE):
            raise ScenarioError(f"recost cannot change {key}: other users would be asked or other numbers computed; run the scenario anew")
    if not out:
        raise ScenarioError('recost: nothing differs from the run; say what should, as in --set population.era="2025"')
    return out


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}".lstrip("."))
    else:
        yield key, value
