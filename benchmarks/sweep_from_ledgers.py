"""A sweep's table recomputed from its ledgers, line by line in plain loops, by none of chordsim's statistics and no library's.

Run: python -m benchmarks.sweep_from_ledgers SWEEP. Reads the Parquet ledgers of every point of a sweep over three seeds or more, in which a
user is the same person in all seeds, and compares mean, each seed's mean, spread, interval, difference to the baseline, p and Holm's p with
sweep_over_seeds.csv. Formulas are those of docs/statistics.md; Student's distribution is integrated here. Prints both values of every
number; exit code 1 where two differ by more than they are printed to (relative 1e-6; of p 1e-4).
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from chordsim.errors import DataError, typed_line

NOISE_SHARE = 0.6
_STEPS = 2000
#: A user's mean over rounds, by seed and user.
Table = dict[int, dict[int, float]]


def user_means(ledger: Path) -> dict[str, dict[int, float]]:
    """Return each user's mean of what they saw over the rounds, by method."""
    seen: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted(ledger.glob("*.parquet")):
        rows = pd.read_parquet(file, columns=["method", "user_id", "ndcg_10_all"])
        for method, user, value in zip(rows["method"], rows["user_id"], rows["ndcg_10_all"], strict=True):
            if not math.isnan(value):
                seen[str(method)][int(user)].append(float(value))
    return {method: {user: sum(values) / len(values) for user, values in users.items()} for method, users in seen.items()}


def density(t: Any, freedom: int) -> Any:
    """Return Student's density."""
    log = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return np.exp(log - (freedom + 1) / 2 * np.log1p(t * t / freedom))


def two_tails(t: float, freedom: int) -> float:
    """Return the probability beyond -t and t: what is left of 1 by the middle, and far out the tail itself, with x = 1 / u."""
    if t > 4:
        places = np.linspace(1e-12, 1 / t, _STEPS + 1)
        return 2 * simpson(density(1 / places, freedom) / places**2, 1 / t / _STEPS)
    return 1 - 2 * simpson(density(np.linspace(0, t, _STEPS + 1), freedom), t / _STEPS)


def simpson(values: Any, width: float) -> float:
    """Return the integral of values at even distances, an odd number of them."""
    return float(values[0] + values[-1] + 4 * values[1:-1:2].sum() + 2 * values[2:-1:2].sum()) * width / 3


def quantile(level: float, freedom: int) -> float:
    """Return the t that leaves `level` in both tails, by halving."""
    low, high = 0.0, 1e6
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if two_tails(middle, freedom) > level else (low, middle)
    return high


def of_seeds(table: Table) -> dict[str, Any]:
    """Return mean, seeds' means, spread, interval and p of a value by seed and user."""
    seeds, users = sorted(table), sorted(table[min(table)])
    if len(seeds) < 3 or any(sorted(table[seed]) != users for seed in seeds):
        raise SystemExit("needs three seeds or more, with the same users in all of them")
    by_user = {user: sum(table[seed][user] for seed in seeds) / len(seeds) for user in users}
    by_seed = [sum(table[seed].values()) / len(users) for seed in seeds]
    mean = sum(by_user.values()) / len(users)
    v_users = sum((value - mean) ** 2 for value in by_user.values()) / (len(users) - 1) / len(users)
    spread2 = sum((value - mean) ** 2 for value in by_seed) / (len(seeds) - 1)
    rest = 0.0
    for place, seed in enumerate(seeds):
        for user in users:
            rest += (table[seed][user] - by_user[user] - by_seed[place] + mean) ** 2
    rest /= (len(users) - 1) * (len(seeds) - 1)
    v_seeds = max(0.0, spread2 / len(seeds) - NOISE_SHARE * rest / len(users) / len(seeds))

    def margin(level: float) -> float:
        return math.sqrt(quantile(level, len(users) - 1) ** 2 * v_users + quantile(level, len(seeds) - 1) ** 2 * v_seeds)

    half = margin(0.05)
    return {
        "mean": mean,
        "by_seed": by_seed,
        "spread": math.sqrt(spread2),
        "low": mean - half,
        "high": mean + half,
        "p": tail(mean, margin),
    }


def tail(mean: float, margin: Any) -> float:
    """Return the level at which the interval ends at zero, by halving on a logarithmic scale."""
    low, high = -12.0, 0.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if margin(10.0**middle) > abs(mean) else (low, middle)
    return float(10.0**high)


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's p: the smallest times their number, the next times one fewer, never falling."""
    out, so_far = [0.0] * len(ps), 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda n: ps[n])):
        so_far = max(so_far, min(1.0, ps[index] * (len(ps) - place)))
        out[index] = so_far
    return out


def recomputed(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of the sweep's table from its ledgers, in the order of that table."""
    told, tidy = pd.read_csv(folder / "sweep_over_seeds.csv"), pd.read_csv(folder / "sweep.csv")
    keys = list(tidy.columns[: list(tidy.columns).index("seed")])
    runs = {run: user_means(folder / str(run) / "ledger") for run in tidy["run"].unique()}
    tables: dict[tuple[Any, ...], Table] = defaultdict(dict)
    for _, row in tidy.iterrows():
        tables[(*(row[key] for key in keys), row["method"])][int(row["seed"])] = runs[row["run"]][row["method"]]
    out: list[dict[str, Any]] = []
    for _, row in told.iterrows():
        values = tuple(row[key] for key in keys)
        mine, base = tables[(*values, row["method"])], tables[(*values, row["baseline"])]
        found = of_seeds(mine)
        line = {"method": row["method"], "ndcg_10_all": found["mean"], "spread_over_seeds": found["spread"]}
        line |= {"ci95_low": found["low"], "ci95_high": found["high"], "by_seed": found["by_seed"], "difference": None}
        if row["method"] != row["baseline"]:
            apart = of_seeds({seed: {user: value - base[seed][user] for user, value in of.items()} for seed, of in mine.items()})
            line |= {
                "difference": apart["mean"],
                "difference_ci95_low": apart["low"],
                "difference_ci95_high": apart["high"],
                "p": apart["p"],
            }
        out.append(line)
    compared = [line for line in out if line["difference"] is not None]
    for line, p in zip(compared, holm([line["p"] for line in compared]), strict=True):
        line["p_holm"] = p
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Recompute, print both values of every number, and say by the exit code whether they agree."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("sweep", type=Path, help="the sweep's folder")
    folder = parser.parse_args(argv).sweep
    try:
        told, found = pd.read_csv(folder / "sweep_over_seeds.csv"), recomputed(folder)
    except (KeyError, ValueError) as error:
        raise DataError(f"{folder}: not the tables and ledgers of one sweep: {typed_line(error)}") from error
    wrong, count = 0, 0
    for line, (_, row) in zip(found, told.iterrows(), strict=True):
        line |= {f"seed {n}": value for n, value in enumerate(line.pop("by_seed"), 1)}
        row = pd.concat([row, pd.Series({f"seed {n}": float(word) for n, word in enumerate(str(row["by_seed"]).split(), 1)})])
        for name, mine in line.items():
            if name == "method" or (mine is None and pd.isna(row[name])):
                continue
            near = 1e-4 if name.startswith("p") else 1e-5 if name.startswith("seed ") else 1e-6
            same = mine is not None and math.isclose(mine, float(row[name]), rel_tol=near, abs_tol=1e-9)
            print(f"{line['method']}, {name}: {mine} here, {row[name]} in the table{'' if same else ': DIFFERS'}")
            count, wrong = count + 1, wrong + (not same)
    print(f"{wrong} of {count} numbers differ" if wrong else f"all {count} numbers agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(ended(main))
