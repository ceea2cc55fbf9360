"""The sweep's tidy table: one row per point, seed and method; and means over seeds with intervals over users."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chordsim.arrays import Floats
from chordsim.compare.statistics import mean_interval, mean_t_interval
from chordsim.files import atomic_write, read_json
from chordsim.ledger.clustered import UserMeans
from chordsim.ledger.scan import scan
from chordsim.store.directory import SUMMARY
from chordsim.sweep.points import Point

TABLE_CSV, TABLE_PARQUET = "sweep.csv", "sweep.parquet"

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = (
    "served_share",
    "bits_mean",
    "down_bytes_per_device",
    "up_bytes_per_device",
    "bootstrap_bytes_once",
    "bootstrap_bytes_again",
    "wasted_bytes",
    "p50_total_s",
    "p95_total_s",
    "joules_per_device",
    "device_rounds",
)
METRICS = ("ndcg_10_all", "ndcg_10", "hr_10")


@dataclass(frozen=True)
class Mean:
    """A method at one combination of values, over seeds.

    Attributes:
        values: Of the axes.
        method: The method.
        seeds: How many.
        ndcg_10_all: Mean over users of their means over rounds and seeds.
        ci95: Its 95 % interval; None with fewer than two users.
        how: ``users`` where the same users were resampled, ``seeds`` where each seed has users of its own.
        bits_mean: Mean over seeds; None where no model ran.
        bytes_after_10: Mean over seeds of the bytes after ten sessions; None where no one was served.
        served_share: Mean over seeds.
    """

    values: tuple[Any, ...]
    method: str
    seeds: int
    ndcg_10_all: float | None
    ci95: tuple[float, float] | None
    how: str
    bits_mean: float | None
    bytes_after_10: float | None
    served_share: float | None


def typed(text: str) -> Any:
    """Return a value of the grid as a number or a truth value if it is one, else as its text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text
    return value if isinstance(value, int | float | str) else text


def tidy(folder: Path, points: Sequence[Point], keys: Sequence[str]) -> pd.DataFrame:
    """Return one row per point, seed and method, units in the names."""
    import pandas as pd

    rows = []
    for point in points:
        path = folder / "points" / point.name
        manifest = read_json(path / "manifest.json")
        for method, m in read_json(path / SUMMARY)["methods"].items():
            row: dict[str, Any] = {key: typed(value) for key, value in zip(keys, point.values, strict=True)}
            row |= {"seed": point.seed, "method": method}
            for metric in METRICS:
                low, high = m[metric]["ci95"] or (None, None)
                row |= {metric: m[metric]["mean"], f"{metric}_ci95_low": low, f"{metric}_ci95_high": high}
            row |= {name: m.get(name) for name in _PLAIN}
            row |= {f"bytes_after_{n}_sessions": value for n, value in m["bytes_after_sessions"].items()}
            row |= {"ledger_sha256": manifest.get("ledger_sha256"), "run": f"points/{point.name}"}
            rows.append(row)
    return pd.DataFrame(rows)


def save(folder: Path, table: pd.DataFrame) -> None:
    """Write the table as CSV and Parquet."""
    import io

    atomic_write(folder / TABLE_CSV, table.to_csv(index=False, lineterminator="\n").encode())
    buffer = io.BytesIO()
    # A swept key may hold numbers in one point and words in another; Parquet wants one type.
    mixed = [c for c in table.columns if table[c].map(type).nunique() > 1 and table[c].map(lambda v: isinstance(v, str)).any()]
    table.assign(**{c: table[c].astype(str) for c in mixed}).to_parquet(buffer, index=False, compression="zstd")
    atomic_write(folder / TABLE_PARQUET, buffer.getvalue())


def means(folder: Path, points: Sequence[Point]) -> list[Mean]:
    """Return every method at every combination of values, over seeds, in the order of the grid."""
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        groups.setdefault(point.values, []).append(point)
    out = []
    for values, members in groups.items():
        summaries = [read_json(folder / "points" / p.name / SUMMARY)["methods"] for p in members]
        digests = {read_json(folder / "points" / p.name / "manifest.json")["data"]["digest"] for p in members}
        users = [_users(folder / "points" / p.name) for p in members]
        for method in summaries[0]:
            of_seed = [u[method] for u in users]
            mean, ci95, how = _over_seeds(of_seed, members[0].seed, len(digests) == 1)
            bits, share = (_mean([s[method][name] for s in summaries]) for name in ("bits_mean", "served_share"))
            after = _mean([s[method]["bytes_after_sessions"]["10"] for s in summaries])
            out.append(Mean(tuple(typed(v) for v in values), method, len(members), mean, ci95, how, bits, after, share))
    return out


def _over_seeds(of_seed: Sequence[Floats], seed: int, same_users: bool) -> tuple[float | None, tuple[float, float] | None, str]:
    """Return mean, interval and what was resampled: users where they are the same in all seeds, else seeds."""
    if same_users:
        size = max(values.size for values in of_seed)
        table = np.stack([np.concatenate([values, np.full(size - values.size, np.nan)]) for values in of_seed])
        count = (~np.isnan(table)).sum(0)
        by_user = np.where(count > 0, np.nansum(table, axis=0) / np.maximum(count, 1), np.nan)
        return *mean_interval(by_user, seed, "sweep.bootstrap"), "users"
    by_seed = np.array([values[~np.isnan(values)].mean() for values in of_seed if not np.isnan(values).all()])
    return *mean_t_interval(by_seed), "seeds"


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
