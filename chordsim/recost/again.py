"""Recost: the rounds of a finished run played again in sizes on other phones, with the plans and ranks that were recorded.

What cannot be recosted is counted, not guessed: a phone that would be served now but was not then, one whose plan would
have been another, and one that would show another old plan than it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chordsim import evaluate, methods
from chordsim.errors import ScenarioError, UserError
from chordsim.fleet import Fleet, fleet_of
from chordsim.ledger.parquet import iter_rows
from chordsim.ledger.rows import Rows
from chordsim.ledger.summary import Summary
from chordsim.methods import Cost, Floats, Needs
from chordsim.population.generate import Population
from chordsim.population.profile import Profiles
from chordsim.ragged import Bools, Ints
from chordsim.scenario.load import load
from chordsim.scenario.model import Scenario
from chordsim.world import pace_of

#: Keys that leave what was computed as it is. Another selection or assignment asks other users.
_MAY_CHANGE = ("population.", "clock.", "rounds.requests_per_round", "rounds.new_model_every")
#: Name of the part of a recorded bootstrap that learning changes.
_RENEWED = "renewed"
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
    fleet = fleet_of(new)
    former = Population(old.population, old.seed, fleet.n_users, fleet.population.fp32_peak_bytes, pace=pace_of(old))
    tiers = list(new.population.tiers)
    before, after = Summary(fleet.n_users, list(old.population.tiers), old.seed), Summary(fleet.n_users, tiers, new.seed)
    unknown: dict[str, dict[str, int]] = {}
    rounds: dict[str, list[Rows]] = {}
    for rows in iter_rows(run):
        rounds.setdefault(rows.method, []).append(rows)
        before.add(rows)
    for name, recorded in rounds.items():
        counts = unknown.setdefault(name, {"not served then": 0, "another plan": 0, "another old plan": 0, "rows": 0})
        for rows in _again(fleet, former, name, recorded, counts):
            after.add(rows)
    shares = {name: {why: n / max(c["rows"], 1) for why, n in c.items() if why != "rows"} for name, c in unknown.items()}
    return Recosted(changed, before.methods(), after.methods(), shares)


def _again(fleet: Fleet, former: Population, name: str, recorded: list[Rows], counts: dict[str, int]) -> Iterator[Rows]:
    """Yield the rows of one method's rounds on the other phones."""
    context = fleet.context(name)
    spec, parts = fleet.specs[name].ends(context)[1], _paid(recorded)
    size = fleet.population.size
    columns = methods.load("server.held:columns_for")(fleet.scenario, size)
    by_round = {rows.round: rows for rows in recorded}
    method = _recorded_method()(spec, context, parts, np.zeros(size, np.int32), columns, 1, by_round)
    play = methods.load("server.fleet:play_sizes")
    for round in sorted(by_round):
        then = by_round[round]
        at = 0
        for rows, _ in play(method, fleet, round, then["device_id"]):
            part = slice(at, at + len(rows))
            at += len(rows)
            phones, old_phones = fleet.population.profiles(rows["device_id"]), former.profiles(rows["device_id"])
            same = _same_plan(then, part, phones, old_phones, context.settings) if _plans(spec) else np.ones(len(rows), np.bool_)
            yield _with_ranks(rows, then, part, same, fleet.n_items, counts)


def _paid(recorded: list[Rows]) -> dict[str, int]:
    """Return the bytes of the bootstrap that phones paid: what came again where less than all of it did, and the rest."""
    charged = np.concatenate([rows["bootstrap_bytes"] for rows in recorded])
    charged = charged[charged > 0]
    if not charged.size:
        return {}
    return {_RENEWED: int(charged.min()), "once": int(charged.max() - charged.min())}


def _recorded_method() -> type[Any]:
    """Return `server.fleet.Sized` with the costs that were recorded in the place of closed forms."""
    base: type[Any] = methods.load("server.fleet:Sized")

    class Recorded(base):  # type: ignore[misc]
        """A method whose phones take what the run recorded."""

        def __init__(
            self, spec: Any, context: Any, parts: dict[str, int], held: Ints, columns: Any, version: int, by_round: Mapping[int, Rows]
        ) -> None:
            super().__init__(spec, context, parts, held, columns, version)
            self.by_round = by_round

        def renew(self, labels: Iterable[str]) -> None:
            """Put a new version into force; what learning changes is what phones were once charged alone."""
            super().renew([_RENEWED] if self.spec.learns else labels)

        def needs_of(self, round: int, phones: Profiles) -> Needs | None:
            """Return recorded costs where the model ran, the closed form elsewhere."""
            return _recorded(self.spec.needs(self.context, phones.budgets), self.by_round[round], phones)

    return Recorded


def _recorded(closed: Needs | None, then: Rows, phones: Profiles) -> Needs:
    from chordsim.quant.budget import refusals

    place = np.searchsorted(then["device_id"], phones.device_ids)
    ran = then["macs"][place] > 0
    zero = Cost.zero(ran.size)
    known = closed.cost if closed is not None else zero
    names = ("macs", "train_macs", "bitops", "peak_memory_bytes", "model_bytes")
    cost = replace(known, **{name: np.where(ran, then[name][place], getattr(known, name)) for name in names})
    if closed is not None and closed.side == "cloud":
        # Budgets bind a plan that is made; what was recorded says only what it then took.
        return replace(closed, cost=cost)
    refusal = refusals(cost.peak_memory_bytes, cost.macs, phones.budgets)
    bits = np.where(ran, then.floats("bits_mean")[place], np.nan)
    return Needs(cost, refusal, "device", refusal, bits, cost.macs)


def _plans(spec: methods.MethodSpec) -> bool:
    """Return whether a method's plan depends on the phone's budgets."""
    from chordsim.specs.plan import PlanSpec

    return isinstance(spec, PlanSpec)


def _same_plan(then: Rows, part: slice, now: Profiles, old: Profiles, settings: Mapping[str, Any]) -> Bools:
    """Return whose plan would have been the recorded one: the budget that bound it is the same, and it fits all others."""
    cap = float(settings.get("bits", 32.0))
    bits = [np.minimum(p.budgets.bits, cap) for p in (now, old)]
    speed = [p.budgets.latency_s * p.budgets.macs_per_s for p in (now, old)]
    fits = (then["peak_memory_bytes"][part] <= now.budgets.memory_bytes) & (then["macs"][part] <= speed[0])
    fits &= then["bits_mean"][part] <= bits[0] + 1e-9
    binding = then.texts("binding")[part]
    equal = {"memory": now.budgets.memory_bytes == old.budgets.memory_bytes, "latency": speed[0] == speed[1], "bits": bits[0] == bits[1]}
    if settings.get("decode") == "device":
        # The ledger does not say which table the phone took: only a phone that grants the same takes the same one for sure.
        return np.asarray(fits & np.all(list(equal.values()), axis=0))
    same = np.asarray(binding == "none")
    for word, mine in equal.items():
        same |= (binding == word) & mine
    return np.asarray(fits & same)


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
