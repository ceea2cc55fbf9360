"""The "methods" part of summary.json, gathered round by round without ever holding all rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from chordsim.arrays import Bools, Floats, Ints
from chordsim.errors import InvariantError
from chordsim.ledger.columns import OUTCOMES, SERVED_BY
from chordsim.ledger.quantiles import EXACT_LIMIT
from chordsim.ledger.round_lines import finished
from chordsim.ledger.rows import Rows
from chordsim.ledger.served import ENERGY, Served
from chordsim.ledger.sessions import Sessions
from chordsim.ledger.tier_gap import TierGap
from chordsim.methods import BINDINGS
from chordsim.statistics.by_user import UserMeans
from chordsim.statistics.estimates import Estimate, estimate

SESSIONS = (1, 10, 100)
#: Parts of a method's summary where `data.cloud_share` keeps users out of training.
KNOWN, UNKNOWN = "known_to_cloud", "unknown_to_cloud"
_METRICS = ("ndcg_10", "ndcg_10_all", "hr_10")
#: Parts of a method's summary where the cloud's candidates alone are ranked: the most that each metric could be, since the target must be
#: listed, and its mean where the target was.
CEILINGS, GIVEN = "ceilings", "given_listed"
#: What each of a summary's figures is per, for whoever multiplies it.
PER = {
    "down_bytes_per_device": "selected device and round, bootstraps among them",
    "up_bytes_per_device": "selected device and round, the report among them",
    "report_bytes_per_device": "selected device and round",
    "joules_per_device": "selected device and round, without the report",
    "wasted_bytes_per_device": "selected device and round",
    "p50_total_s": "round of a phone that finished, in time or late, without the report",
    "p95_total_s": "round of a phone that finished, in time or late, without the report",
    "first_contact": "phone, once",
    "per_session": "served session, bootstraps apart from bytes, without the report",
    "per_version": "phone and new version of the model",
    "bytes_after_sessions": "phone, bootstraps and reports among them",
    "fleet": "this run: all its devices and rounds",
}
#: Sums kept per tier; a mean is a sum over its own count.
_TIER_SUMS = (
    "selected",
    "served",
    "refused",
    "joules",
    "bits_mean",
    "bits_mean_rows",
    "ndcg_10",
    "ndcg_10_rows",
    "ndcg_10_all",
    "ndcg_10_all_rows",
)


class _Method:
    """What is kept of one method."""

    def __init__(self, users: int, tiers: int, exact_limit: int, counts_report: bool) -> None:
        self.by_user = {name: UserMeans(users) for name in _METRICS}
        self.listed = {part: {name: UserMeans(users) for name in _METRICS} for part in (CEILINGS, GIVEN)}
        self.tier_gap = TierGap(users, tiers)
        self.costs = Served(tiers, counts_report=counts_report, exact_limit=exact_limit)
        self.tier = {name: np.zeros(tiers) for name in _TIER_SUMS}
        self.outcomes = np.zeros(len(OUTCOMES), np.int64)
        self.bindings = np.zeros(len(BINDINGS), np.int64)
        self.served_by = np.zeros(len(SERVED_BY), np.int64)
        self.bytes = dict.fromkeys(("down_bytes", "up_bytes", "update_bytes", "report_bytes", "wasted_bytes"), 0)
        self.sessions = Sessions()


class Summary:
    """Feed it every method's round with `add`; ask `methods` at the end. Memory grows with users and devices, not with rows."""

    def __init__(
        self,
        users: int,
        tiers: Sequence[str],
        seed: int,
        *,
        known: Bools | None = None,
        exact_limit: int = EXACT_LIMIT,
        counts_report: bool = False,
        assumed: Collection[str] = ENERGY,
        listed: int = 0,
        cached: bool = False,
    ) -> None:
        """Start empty.

        Args:
            users: How many users there are; ids run from 0 to ``users - 1``.
            tiers: Names of the tiers, in the order of the output.
            seed: The scenario's seed, for the bootstrap.
            known: Whom the cloud trained on, [users]; where that is not everybody, the two groups are also told apart.
            exact_limit: Values per method up to which time quantiles are exact.
            counts_report: Whether the report is no instrumentation (``clock.count_report``).
            assumed: Parts of the joules (`chordsim.ledger.served.ENERGY`) whose constants are assumed.
            listed: Length of the cloud's lists, where those alone are ranked; 0 where they are not.
            cached: Whether the catalogue stays in the cloud, so that a phone's first session brings rows as no later one does.
        """
        self._users = users
        self._tiers = tuple(tiers)
        self._seed = seed
        self._limit, self._counts_report, self._assumed, self._listed = exact_limit, counts_report, tuple(assumed), listed
        self._cached = cached
        self._groups = {} if known is None or bool(known.all()) else {KNOWN: known, UNKNOWN: ~known}
        self._methods: dict[str, _Method] = {}

    def add(self, rows: Rows) -> None:
        """Take in one method's round.

        Raises:
            InvariantError: A user or a tier that was not announced.
        """
        users = rows["user_id"]
        if users.size and (int(users.min()) < 0 or int(users.max()) >= self._users):
            raise InvariantError(f"ledger of {rows.method}, round {rows.round}: user_id is not within 0 to {self._users - 1}")
        tier = self._tier_of(rows)
        kept = self._methods.setdefault(rows.method, _Method(self._users, len(self._tiers), self._limit, self._counts_report))
        for name, by_user in kept.by_user.items():
            some = ~rows.nulls[name]
            by_user.add(users[some], rows[name][some])
            if self._listed:
                # The fallback shows the same list, so its rank tells whether the target stands there; a miss is beyond every list.
                listed = rows["fallback_rank"] <= self._listed
                kept.listed[CEILINGS][name].add(users[some], listed[some].astype(np.float64))
                kept.listed[GIVEN][name].add(users[some & listed], rows[name][some & listed])
        served = rows.is_word("outcome", "served")
        kept.costs.add(rows, served, finished(rows), tier)
        kept.tier_gap.add(users, tier, served, rows.floats("ndcg_10_all"))
        _add_counts(kept, rows, self._cached)
        _add_tiers(kept, rows, tier, len(self._tiers))

    def methods(self) -> dict[str, dict[str, Any]]:
        """Return what summary.json holds under "methods", in the order in which methods first came."""
        estimates, groups, listed = self._estimates(), self._group_estimates(), self._listed_estimates()
        return {name: {**self._one(kept, estimates[name]), **groups[name], **listed[name]} for name, kept in self._methods.items()}

    def _tier_of(self, rows: Rows) -> Ints:
        """Return each row's position among the tiers, shape [D]."""
        words = rows.words["tier"]
        used = np.unique(rows["tier"]).tolist()
        stray = [words[code] for code in used if words[code] not in self._tiers]
        if stray:
            raise InvariantError(f"ledger of {rows.method}, round {rows.round}: tier {stray[0]!r} is not one of {', '.join(self._tiers)}")
        position = np.array([self._tiers.index(word) if word in self._tiers else 0 for word in (*words, "")], np.int64)
        return position[rows["tier"]]

    def _estimates(self) -> dict[str, dict[str, Estimate]]:
        """Return every method's estimates; users are resampled once for all, so methods stay comparable."""
        common = np.ones(self._users, np.bool_)
        for kept in self._methods.values():
            known = kept.by_user["ndcg_10"].known()
            common &= False if known is None else known
        columns: dict[str, Floats] = {}
        for method, kept in self._methods.items():
            for name, by_user in kept.by_user.items():
                if by_user.known() is not None:
                    columns[f"{name}/{method}"] = by_user.means()
            if common.any():
                columns[f"ndcg_10_common/{method}"] = np.where(common, columns[f"ndcg_10/{method}"], np.nan)
        found = estimate(columns, self._seed)
        nothing = Estimate(None, None, "none", 0)
        names = (*_METRICS, "ndcg_10_common")
        return {method: {name: found.get(f"{name}/{method}", nothing) for name in names} for method in self._methods}

    def _group_estimates(self) -> dict[str, dict[str, Any]]:
        """Return every method's metrics over users whom the cloud trained on and over the others; users resampled alike."""
        columns = {
            f"{group}/{name}/{method}": np.where(who, by_user.means(), np.nan)
            for group, who in self._groups.items()
            for method, kept in self._methods.items()
            for name, by_user in kept.by_user.items()
        }
        found, nothing = estimate(columns, self._seed), Estimate(None, None, "none", 0)
        return {
            method: {group: {name: found.get(f"{group}/{name}/{method}", nothing).as_json() for name in _METRICS} for group in self._groups}
            for method in self._methods
        }

    def _listed_estimates(self) -> dict[str, dict[str, Any]]:
        """Return every method's ceilings, and its metrics given that the target was listed; empty where nothing is listed."""
        if not self._listed:
            return {method: {} for method in self._methods}
        columns = {
            f"{part}/{name}/{method}": by_user.means()
            for method, kept in self._methods.items()
            for part, metrics in kept.listed.items()
            for name, by_user in metrics.items()
            if by_user.known() is not None
        }
        found, nothing = estimate(columns, self._seed), Estimate(None, None, "none", 0)
        return {
            method: {
                part: {name: found.get(f"{part}/{name}/{method}", nothing).as_json() for name in _METRICS} for part in (CEILINGS, GIVEN)
            }
            for method in self._methods
        }

    def _one(self, kept: _Method, estimates: dict[str, Estimate]) -> dict[str, Any]:
        selected, served = int(kept.outcomes.sum()), int(kept.outcomes[0])
        p50, p95 = kept.costs.seconds((0.5, 0.95))
        return {
            **{name: found.as_json() for name, found in estimates.items()},
            "device_rounds": selected,
            "served_share": _ratio(served, selected),
            "bits_mean": _ratio(kept.tier["bits_mean"].sum(), kept.tier["bits_mean_rows"].sum()),
            "down_bytes_per_device": _ratio(kept.bytes["down_bytes"], selected),
            "up_bytes_per_device": _ratio(kept.bytes["up_bytes"], selected),
            "report_bytes_per_device": _ratio(kept.bytes["report_bytes"], selected),
            "first_contact": {"down_bytes": kept.sessions.first_contact},
            "per_session": kept.costs.per_session(),
            "per_version": {"down_bytes": kept.sessions.per_version(kept.bytes["update_bytes"] > 0)},
            "wasted_bytes_per_device": kept.costs.wasted_per_device_round,
            "energy": kept.costs.energy(self._assumed),
            "fleet": kept.costs.fleet(self._assumed),
            "tier_gap": kept.tier_gap.as_json(self._tiers),
            "bootstrap_bytes_once": kept.sessions.first if kept.sessions.contacts else None,
            "bootstrap_bytes_again": kept.sessions.again,
            "bytes_after_sessions": {str(n): kept.sessions.after(n) for n in SESSIONS},
            "wasted_bytes": kept.bytes["wasted_bytes"],
            "p50_total_s": p50,
            "p95_total_s": p95,
            "quantile_method": kept.costs.quantile_method,
            "joules_per_device": _ratio(kept.tier["joules"].sum(), selected),
            "outcomes": dict(zip(OUTCOMES, kept.outcomes.tolist(), strict=True)),
            "served_by": dict(zip(SERVED_BY, kept.served_by.tolist(), strict=True)),
            "binding": dict(zip(BINDINGS, kept.bindings.tolist(), strict=True)),
            "per_tier": {name: _one_tier(kept, i, self._assumed) for i, name in enumerate(self._tiers) if kept.tier["selected"][i]},
        }


def _add_counts(kept: _Method, rows: Rows, cached: bool) -> None:
    kept.outcomes += np.bincount(rows["outcome"], minlength=len(OUTCOMES))
    kept.bindings += np.bincount(rows["binding"], minlength=len(BINDINGS))
    kept.served_by += np.bincount(rows["served_by"], minlength=len(SERVED_BY))
    for name in kept.bytes:
        kept.bytes[name] += int(rows[name].sum())
    served = rows.is_word("outcome", "served")
    bootstrap, down, up = (rows[name] for name in ("bootstrap_bytes", "down_bytes", "up_bytes"))
    kept.sessions.add(rows["device_id"], served, bootstrap, down, up, rows["rows_bytes"] if cached else None)


def _add_tiers(kept: _Method, rows: Rows, tier: Ints, tiers: int) -> None:
    def add(name: str, weights: Floats | None = None) -> None:
        kept.tier[name] += np.bincount(tier, weights, minlength=tiers)

    add("selected")
    add("served", rows.is_word("outcome", "served").astype(np.float64))
    add("refused", rows.is_word("outcome", "refused").astype(np.float64))
    add("joules", rows["compute_j"] + rows["radio_j"])
    for name in ("bits_mean", "ndcg_10", "ndcg_10_all"):
        add(name, rows[name])
        add(f"{name}_rows", (~rows.nulls[name]).astype(np.float64))


def _one_tier(kept: _Method, tier: int, assumed: Collection[str]) -> dict[str, Any]:
    sums = {name: float(values[tier]) for name, values in kept.tier.items()}
    (p50,) = kept.costs.seconds((0.5,), tier)
    return {
        "device_rounds": int(sums["selected"]),
        "served_share": _ratio(sums["served"], sums["selected"]),
        "refused_share": _ratio(sums["refused"], sums["selected"]),
        "ndcg_10": _ratio(sums["ndcg_10"], sums["ndcg_10_rows"]),
        "ndcg_10_all": _ratio(sums["ndcg_10_all"], sums["ndcg_10_all_rows"]),
        "bits_mean": _ratio(sums["bits_mean"], sums["bits_mean_rows"]),
        "p50_total_s": p50,
        "joules_per_device": _ratio(sums["joules"], sums["selected"]),
        "per_session": kept.costs.per_session(tier),
        "energy": kept.costs.energy(assumed, tier),
    }


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
