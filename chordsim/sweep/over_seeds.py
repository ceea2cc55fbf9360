"""A sweep's methods over its seeds: mean, spread over seeds, interval over users and seeds, and paired differences to the baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chordsim.arrays import Floats
from chordsim.files import atomic_write, read_json
from chordsim.ledger import parquet
from chordsim.ledger.figures import at
from chordsim.ledger.names import MANIFEST, SUMMARY
from chordsim.ledger.scan import scan
from chordsim.report.run_table import difference_columns
from chordsim.statistics.baseline import baseline
from chordsim.statistics.by_user import UserMeans
from chordsim.statistics.differences import Difference, Pair, paired_over_seeds
from chordsim.statistics.estimates import Estimate, estimate_over_seeds
from chordsim.sweep.points import Point
from chordsim.sweep.tidy import COSTS, typed

TABLE = "sweep_over_seeds.csv"
#: Values of the axes, and a method.
_Key = tuple[tuple[str, ...], str]


@dataclass(frozen=True)
class Mean:
    """A method at one combination of values, over seeds.

    Attributes:
        values: Of the axes.
        method: The method.
        seeds: Which.
        estimate: NDCG@10 of what all users saw: mean over users of their means over rounds and seeds.
        base: The method that it is compared with, at the same values.
        said: Which one that is and why, in a sentence.
        difference: To that method; None where it is that method, or there is nothing to compare.
        bits_mean: Mean over seeds; None where no model ran.
        bytes_after_10: Mean over seeds of the bytes after ten sessions; None where no one was served.
        served_share: Mean over seeds.
        costs: Means over seeds of what `chordsim.sweep.tidy.COSTS` names; None where no seed has one.
        bytes_after_100: As ``bytes_after_10``, after a hundred.
    """

    values: tuple[Any, ...]
    method: str
    seeds: tuple[int, ...]
    estimate: Estimate
    base: str
    said: str
    difference: Difference | None
    bits_mean: float | None
    bytes_after_10: float | None
    served_share: float | None
    costs: Mapping[str, float | None] = field(default_factory=dict)
    bytes_after_100: float | None = None


def means(folder: Path, points: Sequence[Point]) -> list[Mean]:
    """Return every method at every combination of values, over seeds, in the order of the grid; all differences are one family.

    Raises:
        UserError, RunError: A point's run is damaged.
    """
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        groups.setdefault(point.values, []).append(point)
    made: list[tuple[tuple[str, ...], Mean]] = []
    pairs: dict[_Key, list[Pair]] = {}
    own_users: set[_Key] = set()
    for values, members in groups.items():
        runs = [folder / "points" / point.name for point in members]
        for run in runs:
            parquet.check(run)
        summaries = [read_json(run / SUMMARY)["methods"] for run in runs]
        same_users = len({read_json(run / MANIFEST)["data"]["digest"] for run in runs}) == 1
        users = [_users(run) for run in runs]
        estimates = {
            method: estimate_over_seeds([of[method] for of in users], members[0].seed, same_users=same_users) for method in summaries[0]
        }
        base, said = _baseline(members[0], estimates)
        for method, estimate in estimates.items():
            if method != base and estimate.mean is not None:
                pairs[values, method] = [(of[method], of[base]) for of in users]
                own_users |= set() if same_users else {(values, method)}
            bits, share = (_mean([s[method][name] for s in summaries]) for name in ("bits_mean", "served_share"))
            after, long_after = (_mean([s[method]["bytes_after_sessions"][count] for s in summaries]) for count in ("10", "100"))
            seeds = tuple(point.seed for point in members)
            costs = {name: _mean([at(s[method], *path) for s in summaries]) for name, path in COSTS.items()}
            figures = (bits, after, share, costs, long_after)
            made.append((values, Mean(tuple(map(typed, values)), method, seeds, estimate, base, said, None, *figures)))
    differences = _differences(pairs, points[0].seed, own_users)
    return [replace(mean, difference=differences.get((values, mean.method))) for values, mean in made]


def save(folder: Path, found: Sequence[Mean], keys: Sequence[str]) -> None:
    """Write the means as CSV, one row per combination of values and method."""
    rows = [table_row(m, keys) for m in found]
    atomic_write(folder / TABLE, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode())


def table_row(m: Mean, keys: Sequence[str]) -> dict[str, Any]:
    """Return a mean as a row of the table, units in the names."""
    low, high = m.estimate.ci95 or (None, None)
    row: dict[str, Any] = dict(zip(keys, m.values, strict=True))
    row |= {"method": m.method, "seeds": " ".join(map(str, m.seeds)), "users": m.estimate.users}
    row |= {"ndcg_10_all": m.estimate.mean, "spread_over_seeds": m.estimate.spread, "ci95_low": low, "ci95_high": high}
    row |= {"ci_method": m.estimate.ci_method, "by_seed": " ".join(f"{value:.6g}" for value in m.estimate.by_seed), "baseline": m.base}
    row |= difference_columns(m.difference)
    return row | {"served_share": m.served_share, "bits_mean": m.bits_mean, "bytes_after_10_sessions": m.bytes_after_10, **m.costs}


def _baseline(point: Point, estimates: Mapping[str, Estimate]) -> tuple[str, str]:
    ranked = [method for method, estimate in estimates.items() if estimate.mean is not None]
    return baseline(point.scenario.protocol.baseline, ranked) if ranked else ("", "No method has a value.")


def _differences(pairs: Mapping[_Key, Sequence[Pair]], seed: int, own_users: Collection[_Key]) -> dict[_Key, Difference]:
    """Return the differences by values and method."""
    names = {key: str(place) for place, key in enumerate(pairs)}
    made = paired_over_seeds({names[key]: pair for key, pair in pairs.items()}, seed, own_users={names[key] for key in own_users})
    return {key: made[name] for key, name in names.items()}


def _users(run: Path) -> dict[str, Floats]:
    """Return each user's mean ndcg_10_all over rounds, by method."""
    parts = list(scan(run, ("user_id", "ndcg_10_all")))
    users = 1 + max(int(part["user_id"].max(initial=-1)) for part in parts)
    kept: dict[str, UserMeans] = {}
    for part in parts:
        some = ~np.isnan(part["ndcg_10_all"])
        kept.setdefault(part.method, UserMeans(users)).add(part["user_id"][some], part["ndcg_10_all"][some])
    return {method: by_user.means() for method, by_user in kept.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    some = [value for value in values if value is not None]
    return float(np.mean(some)) if some else None
