"""Everything that the page shows of a run, gathered from its ledger file by file: memory grows with users, not with rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.arrays import Floats, Ints
from chordsim.ledger.columns import OUTCOMES, SERVED_BY
from chordsim.ledger.invariants import DOWN_PARTS, UP_PARTS
from chordsim.ledger.scan import Part, scan
from chordsim.ledger.served import Served
from chordsim.ledger.sessions import Sessions
from chordsim.ledger.summary import SESSIONS
from chordsim.ledger.tier_gap import TierGap
from chordsim.methods import BINDINGS
from chordsim.population.profile import assumed_energy
from chordsim.report.activity import Activity
from chordsim.report.source import Source
from chordsim.statistics.by_user import UserMeans
from chordsim.statistics.estimates import Estimate, estimate

METRICS = ("ndcg_10_all", "ndcg_10", "hr_10")
SECONDS = ("download_s", "adapt_s", "infer_s", "upload_s")
_BYTES = (*DOWN_PARTS, "down_bytes", "cut_down_bytes", *UP_PARTS, "up_bytes", "cut_up_bytes", "wasted_bytes")
_COLUMNS = (
    "device_id",
    "user_id",
    "tier",
    "outcome",
    "served_by",
    "binding",
    "bits_mean",
    "plan_age_rounds",
    *_BYTES,
    "model_bytes",
    "peak_memory_bytes",
    *SECONDS,
    "total_s",
    "compute_j",
    "radio_j",
    "ndcg_10",
    "ndcg_10_all",
    "hr_10",
)


@dataclass
class Sums:
    """Sums and counts of numbers by group; a mean is a sum over its own count.

    Attributes:
        groups: How many groups.
    """

    groups: int
    _sums: dict[str, Floats] = field(default_factory=dict)
    _counts: dict[str, Floats] = field(default_factory=dict)

    def add(self, name: str, group: Ints, values: Floats) -> None:
        """Take in values [N], NaN for none, and the group of each; a negative group is left out."""
        some = ~np.isnan(values) & (group >= 0)
        for kept, weights in ((self._sums, values[some]), (self._counts, None)):
            found = np.bincount(group[some], weights, minlength=self.groups).astype(np.float64)
            kept[name] = kept.get(name, 0.0) + found

    def means(self, name: str) -> Floats:
        """Return the mean by group, NaN without a value, shape [groups]."""
        counts = self._counts.get(name, np.zeros(self.groups))
        return np.where(counts > 0, self._sums.get(name, np.zeros(self.groups)) / np.maximum(counts, 1), np.nan)

    def counts(self, name: str) -> Floats:
        """Return how many values each group has, shape [groups]."""
        return self._counts.get(name, np.zeros(self.groups))


@dataclass(frozen=True)
class RoundFacts:
    """One method's round: simulated seconds are over the phones that finished, served or late.

    Attributes:
        round: From 1.
        selected: Phones.
        served: Phones.
        ndcg_10_all: Mean of what users saw.
        seconds: p50, p95 and slowest of ``total_s``; NaN where no one finished.
        down_bytes: Sum.
        up_bytes: Sum.
        wasted_bytes: Sum.
    """

    round: int
    selected: int
    served: int
    ndcg_10_all: float
    seconds: tuple[float, float, float]
    down_bytes: int
    up_bytes: int
    wasted_bytes: int


class MethodFacts:
    """What was gathered of one method.

    Attributes:
        users: Means by user of each of `METRICS`.
        outcomes: Device-rounds by tier and outcome, [T, outcomes].
        bindings: By tier and budget that bound, [T, bindings].
        served_by: By what the user saw.
        tier: Means by tier: ``bits_mean``, metrics, and of served sessions ``joules``, ``total_s`` and its parts.
        activity: Means by activity group of the same numbers.
        age: Means of ``ndcg_10`` by plan age in rounds, for ages that occur.
        bytes: Sums by column.
        tier_gap: Who pays for heterogeneity.
        costs: What served sessions and the whole fleet cost, and quantiles of seconds.
        sessions: What first contact, a session and new versions cost.
        rounds: One entry per round.
    """

    def __init__(self, users: int, tiers: int, groups: int, counts_report: bool, cached: bool = False) -> None:
        self._cached = cached
        self.users = {name: UserMeans(users) for name in METRICS}
        self.outcomes, self.bindings = np.zeros((tiers, len(OUTCOMES)), np.int64), np.zeros((tiers, len(BINDINGS)), np.int64)
        self.served_by = np.zeros(len(SERVED_BY), np.int64)
        self.tier, self.activity = Sums(tiers), Sums(max(groups, 1))
        self.age: dict[int, tuple[int, float]] = {}
        self.bytes = dict.fromkeys(_BYTES, 0)
        self.costs = Served(tiers, counts_report=counts_report)
        self.tier_gap = TierGap(users, tiers)
        self.rounds: list[RoundFacts] = []
        self.sessions = Sessions()
        self.model_bytes = self.peak_memory_bytes = 0

    @property
    def device_rounds(self) -> int:
        """Number of ledger rows."""
        return int(self.outcomes.sum())

    @property
    def served(self) -> int:
        """Number of served rows."""
        return int(self.outcomes[:, 0].sum())

    @property
    def bits_mean(self) -> float | None:
        """Mean stored bits per weight over rows in which a model ran."""
        counts = self.tier.counts("bits_mean")
        return float(np.nansum(self.tier.means("bits_mean") * counts) / counts.sum()) if counts.sum() else None

    @property
    def ships_a_model(self) -> bool:
        """Whether nothing but the bootstrap and reports was exchanged, a protocol's candidates apart."""
        return self.bytes["bootstrap_bytes"] > 0 and not any(
            self.bytes[name] for name in ("prescription_bytes", "profile_bytes", "update_bytes")
        )

    @property
    def per_version(self) -> float | None:
        """Bytes that a new version of the model brings a phone; None for a method that learns and has not yet."""
        return self.sessions.per_version(self.bytes["update_bytes"] > 0)

    @property
    def bootstrap_once(self) -> float:
        """Mean bootstrap bytes of a first contact."""
        return self.sessions.first

    @property
    def session(self) -> float | None:
        """Mean bytes up and down of a session after first contact, new versions included; None if no one was served."""
        return self.sessions.slope

    def after(self, sessions: int = SESSIONS[1]) -> float | None:
        """Return bytes up and down of a device after so many served sessions, bootstrap included."""
        return self.sessions.after(sessions)

    def add(self, part: Part, tiers: tuple[str, ...], activity: Activity | None) -> None:
        """Take in one round."""
        tier, outcome = part.codes("tier", tiers), part.codes("outcome", OUTCOMES)
        served, finished = part.is_word("outcome", "served"), part.is_word("outcome", "served", "late")
        np.add.at(self.outcomes, (tier, outcome), 1)
        np.add.at(self.bindings, (tier, part.codes("binding", BINDINGS)), 1)
        self.served_by += np.bincount(part.codes("served_by", SERVED_BY), minlength=len(SERVED_BY))
        for name in _BYTES:
            self.bytes[name] += int(part[name].sum())
        rows = part["rows_bytes"] if self._cached else None
        self.sessions.add(part["device_id"], served, part["bootstrap_bytes"], part["down_bytes"], part["up_bytes"], rows)
        self.model_bytes = max(self.model_bytes, int(part["model_bytes"].max(initial=0)))
        self.peak_memory_bytes = max(self.peak_memory_bytes, int(part["peak_memory_bytes"].max(initial=0)))
        for name, by_user in self.users.items():
            some = ~np.isnan(part[name])
            by_user.add(part["user_id"][some], part[name][some])
        joules = np.where(served, part.floats("compute_j") + part.floats("radio_j"), np.nan)
        numbers = {"joules": joules, **{n: part.floats(n) for n in ("ndcg_10_all", "ndcg_10", "hr_10", "bits_mean")}}
        seconds = {n: np.where(served, part.floats(n), np.nan) for n in (*SECONDS, "total_s")}
        groups = None if activity is None else activity.of(part["user_id"])
        for name, values in (numbers | seconds).items():
            self.tier.add(name, tier, values)
            if groups is not None:
                self.activity.add(name, groups, values)
        self._add_ages(part)
        self.costs.add(part, served, finished, tier)
        self.tier_gap.add(part["user_id"], tier, served, part.floats("ndcg_10_all"))
        self.rounds.append(_round(part, served, part["total_s"][finished]))

    def _add_ages(self, part: Part) -> None:
        some = ~np.isnan(part["plan_age_rounds"]) & ~np.isnan(part["ndcg_10"])
        ages, ndcg = part["plan_age_rounds"][some].astype(np.int64), part["ndcg_10"][some]
        for age in np.unique(ages).tolist():
            count, total = self.age.get(age, (0, 0.0))
            self.age[age] = (count + int((ages == age).sum()), total + float(ndcg[ages == age].sum()))


def _round(part: Part, served: Any, times: Floats) -> RoundFacts:
    p50, p95, top = np.quantile(times, [0.5, 0.95, 1.0]).tolist() if times.size else (np.nan,) * 3
    seen = part["ndcg_10_all"][~np.isnan(part["ndcg_10_all"])]
    sums = [int(part[name].sum()) for name in ("down_bytes", "up_bytes", "wasted_bytes")]
    return RoundFacts(part.round, len(part), int(served.sum()), float(seen.mean()) if seen.size else np.nan, (p50, p95, top), *sums)


@dataclass(frozen=True)
class Gathered:
    """A run as the page shows it.

    Attributes:
        source: What the run says about itself.
        methods: By name, in the scenario's order.
        tiers: Names.
        activity: The groups of users by history length, or None where the run does not tell it.
        estimates: Mean and interval by method and metric, users resampled alike for all.
        users: How many users occur.
        common: Mean NDCG@10 by method over the users that every method served; None where there are none.
    """

    source: Source
    methods: dict[str, MethodFacts]
    tiers: tuple[str, ...]
    activity: Activity | None
    estimates: dict[str, dict[str, Estimate]]
    users: int
    common: dict[str, float | None]

    @property
    def assumed(self) -> tuple[str, ...]:
        """Parts of the joules whose constants are assumed."""
        phones = self.source.table("population")
        return assumed_energy("csv" if phones.get("csv") else "era" if phones.get("era") else "tiers")


def gather(run: Path, check: bool = True, source: Source | None = None) -> Gathered:
    """Read a run directory.

    Args:
        run: The run directory.
        check: Hold its files against their checksums.
        source: What `Source.read` gave, where it was read already.

    Raises:
        UserError, RunError: Not a run, no ledger yet, a file that is damaged or of a newer schema; names it.
    """
    source = source or Source.read(run, check)
    users, tiers = 0, dict.fromkeys(source.tiers)
    for part in scan(run, ("user_id", "tier")):
        users = max(users, int(part["user_id"].max(initial=-1)) + 1)
        tiers |= dict.fromkeys(part.words["tier"])
    activity, counts_report = Activity.read(run, users), bool(source.table("clock").get("count_report", False))
    cached = source.table("backbone").get("items") == "cached"
    found: dict[str, MethodFacts] = {}
    for part in scan(run, _COLUMNS):
        facts = found.setdefault(part.method, MethodFacts(users, len(tiers), activity.count if activity else 0, counts_report, cached))
        facts.add(part, tuple(tiers), activity)
    order = {name: place for place, name in enumerate(source.methods)}
    methods = {name: found[name] for name in sorted(found, key=lambda name: order.get(name, len(order)))}
    columns = {
        f"{metric}/{name}": facts.users[metric].means()
        for name, facts in methods.items()
        for metric in METRICS
        if facts.users[metric].known() is not None
    }
    made, nothing = estimate(columns, source.seed), Estimate(None, None, "none", 0)
    estimates = {name: {metric: made.get(f"{metric}/{name}", nothing) for metric in METRICS} for name in methods}
    return Gathered(source, methods, tuple(tiers), activity, estimates, users, _common(methods))


def _common(methods: dict[str, MethodFacts]) -> dict[str, float | None]:
    means = {name: facts.users["ndcg_10"].means() for name, facts in methods.items()}
    both = np.all([~np.isnan(values) for values in means.values()], axis=0)
    return {name: float(values[both].mean()) if both.any() else None for name, values in means.items()}
