"""Recost: the rounds of a finished run played again in sizes on other phones, with the plans and ranks that were recorded.

What cannot be recosted is counted, not guessed (`chordsim.recost.holds`): what a phone would show that was not served then, whose
prescription would have been another, or may have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chordsim import evaluate
from chordsim.arrays import Floats
from chordsim.config.model import Scenario
from chordsim.errors import ScenarioError, UserError
from chordsim.forecast.predict import check_deadline
from chordsim.ledger.damage import of_runs
from chordsim.ledger.parquet import iter_rows
from chordsim.ledger.rows import Rows, joined
from chordsim.ledger.summary import Summary
from chordsim.population.generate import Population
from chordsim.recost import rerun
from chordsim.recost.holds import ESTIMATED, REASONS, Judge, Verdict
from chordsim.recost.inert import inert
from chordsim.report.source import Source
from chordsim.round import sizes
from chordsim.round.bindings import accounting
from chordsim.round.recorded import Recording
from chordsim.round.recorded import player as recorded_player
from chordsim.scenario.changed import changed_keys
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
        inert: Of these, keys that change no phone and no round, each with the reason in words.
        before: The run's own summary by method.
        after: The same quantities on the other phones.
        unknown: By method, the share of device-rounds of which it cannot be told what the user saw, by reason; and under
            `ESTIMATED` the share whose bytes, seconds or joules come from closed forms.
    """

    changed: dict[str, tuple[Any, Any]]
    inert: dict[str, str]
    before: dict[str, Any]
    after: dict[str, Any]
    unknown: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Round:
    """One method's round on the other phones.

    Attributes:
        rows: As far as it can be told; null where what the user saw cannot.
        then: What was recorded.
        verdict: What of it holds.
    """

    rows: Rows
    then: Rows
    verdict: Verdict


@of_runs
def recost(run: Path, overrides: Sequence[str], check: bool = True) -> Recosted:
    """Play a finished run again on other phones.

    Args:
        run: The run directory.
        overrides: ``key=value`` texts over the run's scenario.
        check: Hold the run's files against their checksums.

    Raises:
        ScenarioError: An override that would change what was computed, or that a run refuses.
        UserError: Not a run directory, one without rows, or one of another schema.
        RunError: A file that was damaged or edited.
    """
    source = Source.read(run, check)
    old, new = _scenarios(run, overrides)
    of_app = (run / "trips.parquet").is_file()
    changed = _changed(old, new, of_app=of_app)
    if old.rounds.mode == "buffered":
        raise UserError(f"{run}: a buffered run cannot be recosted: on other phones others would come first; run the scenario anew")
    if of_app:
        return _flower(run, old, new, changed)
    world, former = worlds(old, new)
    check_deadline(world)
    nothing = inert(changed, old, new, world)
    if new.protocol.metrics == "none":
        return Recosted(changed, nothing, rerun.before(source), rerun.after(world, source), {})
    before = Summary(world.n_users, list(old.population.tiers), old.seed, **accounting(old))
    after = Summary(world.n_users, list(new.population.tiers), new.seed, **accounting(new))
    unknown: dict[str, dict[str, float]] = {}
    for played in rounds_again(run, world, former):
        before.add(played.then)
        after.add(played.rows)
        found = unknown.setdefault(played.rows.method, dict.fromkeys([*REASONS[1:], ESTIMATED, "rows"], 0))
        found["rows"] += len(played.rows)
        for code, reason in enumerate(REASONS[1:], 1):
            found[reason] += int(np.count_nonzero(played.verdict.why == code))
        found[ESTIMATED] += int(np.count_nonzero(played.verdict.estimated))
    shares = {name: {why: n / max(found["rows"], 1) for why, n in found.items() if why != "rows"} for name, found in unknown.items()}
    return Recosted(changed, nothing, before.methods(), after.methods(), shares)


def worlds(old: Scenario, new: Scenario) -> tuple[SizedWorld, Population]:
    """Return the world that is asked about, and the phones of the run."""
    world = sized_world(new)
    phones = world.population
    return world, Population(old.population, old.seed, world.n_users, phones.fp32_peak_bytes, pace=pace_of(old), model=phones.model)


def rounds_again(run: Path, world: SizedWorld, former: Population) -> Iterator[Round]:
    """Yield every round of every method, by method.

    Args:
        run: The run directory.
        world: The scenario that is asked about.
        former: The phones of the run.
    """
    recorded: dict[str, list[Rows]] = {}
    for rows in iter_rows(run):
        recorded.setdefault(rows.method, []).append(rows)
    for name, of_method in recorded.items():
        yield from _again(world, former, name, of_method)


def _again(world: SizedWorld, former: Population, name: str, recorded: list[Rows]) -> Iterator[Round]:
    """Yield one method's rounds on the other phones."""
    context, spec = world.context(name), world.specs[name]
    by_round = {rows.round: rows for rows in recorded}
    judge = Judge(world, former, spec, context, by_round)
    recording = Recording(by_round, judge.same, lambda ids: former.profiles(ids).macs_per_s)
    player = recorded_player(world, spec.ends(context)[1], context, recording)
    for round in sorted(by_round):
        then = by_round[round]
        rows = joined([played.rows for played in sizes.play(player, world, round, then["device_id"])])
        verdict = judge.judge(rows, then)
        yield Round(_with_ranks(rows, then, verdict, world.n_items), then, verdict)


def _with_ranks(rows: Rows, then: Rows, verdict: Verdict, n_items: int) -> Rows:
    """Put recorded ranks where they still hold, and nothing where they do not."""
    told, shows = verdict.why == 0, ~rows.is_word("served_by", "fallback")
    known: Floats = np.where(told & shows, then.floats("rank"), np.nan)
    metrics = evaluate.metrics(known, n_items)
    own = verdict.why != REASONS.index("another user")
    seen = np.where(own, then.floats("fallback_rank"), np.nan)
    fallback = evaluate.metrics(seen, n_items)["ndcg_10"]
    shown = np.where(told, np.where(shows, metrics["ndcg_10"], fallback), np.nan)
    columns = {"rank": known, **metrics, "fallback_rank": seen, "ndcg_10_all": shown}
    values = {**rows.values, **{name: np.nan_to_num(value, nan=0.0) for name, value in columns.items()}, "user_id": then["user_id"]}
    nulls = {**rows.nulls, **{name: np.isnan(value) for name, value in columns.items()}}
    return Rows(rows.method, rows.round, values, nulls, rows.words)


def _scenarios(run: Path, overrides: Sequence[str]) -> tuple[Scenario, Scenario]:
    """Return the run's scenario, and that with the overrides."""
    path = run / "scenario.toml"
    if not path.is_file():
        raise UserError(f"{run}: not a run directory: no scenario.toml in it")
    return load(path), load(path, overrides)


def _flower(run: Path, old: Scenario, new: Scenario, changed: dict[str, tuple[Any, Any]]) -> Recosted:
    """Recost a Flower app's run: it ranks nothing, and its messages are what they were."""
    # Flower is loaded only for its own runs.
    from chordsim.flower.again import recosted, summed

    found = recosted(run, new)
    before = summed(list(iter_rows(run)), list(old.population.tiers), old)
    after = {name: summed(told.rows, list(new.population.tiers), new)[name] for name, told in found.items()}
    unknown = {name: {"not heard then, so of the median size": told.guessed} for name, told in found.items()}
    return Recosted(changed, {}, before, after, unknown)


def _changed(old: Scenario, new: Scenario, *, of_app: bool) -> dict[str, tuple[Any, Any]]:
    """Return which keys differ.

    Raises:
        ScenarioError: One that recost cannot change, or none at all.
    """
    out = changed_keys(old, new)
    if of_app:
        # Flower is loaded only for its own runs.
        from chordsim.flower.again import check_changed

        check_changed("recost", out)
    else:
        _check_changed(out)
    if not out:
        raise ScenarioError('recost: nothing differs from the run; say what should, as in --set population.era="2025"')
    return out


def _check_changed(keys: Iterable[str]) -> None:
    for key in keys:
        if key.startswith(_MAY_NOT) or not key.startswith(_MAY_CHANGE):
            raise ScenarioError(f"recost cannot change {key}: other users would be asked or other numbers computed; run the scenario anew")
