"""Is a plan's gap to full precision wider on weak phones, whose users have done less and whose plans have fewer bits?

    python -m benchmarks.weak_phones --out DIR [--seeds N ...] [--activity R ...] [--methods NAME ...] [--set KEY=VALUE ...]

Plays `weak-phones` at every seed with users assigned to phones by activity, and at random (`population.activity_tier`), and prints for
every method but `fp32` the difference to `fp32` by tier, paired by user, and how much it is worse in the lowest tier than in the highest.
Intervals are 95 %, over users and seeds, crossed. Models are trained once a seed: who has which phone trains nothing. Runs stay in DIR and
are not played again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cut_off import ended
from benchmarks.kept_runs import by_user, played
from benchmarks.parser import parser_of
from chordsim.arrays import Floats
from chordsim.errors import UserError
from chordsim.statistics.differences import Difference, paired_over_seeds

BASELINE = "fp32"


def of_tier(gaps: Floats, mine: Floats) -> Floats:
    """Return numbers by user whose mean is that of some users alone, and whose spread is that mean's.

    A user who is not among them says nothing, so has the mean itself; the others differ from it by as much more as they are fewer
    (the mean's influence function, so that tiers of any size go into the same interval over users and seeds).

    Args:
        gaps: By user, [users].
        mine: 1 for those who count, 0 for others, [users].
    """
    mean = float((gaps * mine).sum() / mine.sum())
    return np.asarray(mean + (gaps - mean) * mine * (mine.size / mine.sum()))


def gaps_of(rows: pd.DataFrame, method: str) -> tuple[Floats, dict[str, Floats], dict[str, float]]:
    """Return a run's differences to `fp32` by user, who is in which tier, and the tiers' NDCG@10 of `fp32`.

    Args:
        rows: A ledger, in which every user has one phone and every phone is served.
        method: Whose differences.
    """
    users = 1 + int(rows.user_id.max())
    own, base = (by_user(rows[rows.method == name], users) for name in (method, BASELINE))
    tier = rows.drop_duplicates("user_id").set_index("user_id").tier.reindex(range(users)).to_numpy()
    members = {str(name): (tier == name).astype(np.float64) for name in dict.fromkeys(rows.tier)}
    return own - base, members, {name: float(base[mine > 0].mean()) for name, mine in members.items()}


def differences(ledgers: Mapping[int, pd.DataFrame], method: str, tiers: Sequence[str]) -> dict[str, Difference]:
    """Return by tier the difference to `fp32`, and under ``""`` that of the first tier minus that of the last."""
    found = [gaps_of(rows, method) for rows in ledgers.values()]
    pairs = {name: [(of_tier(gaps, members[name]), np.zeros(gaps.size)) for gaps, members, _ in found] for name in tiers}
    first, last = tiers[0], tiers[-1]
    pairs[""] = [(of_tier(gaps, members[first]), of_tier(gaps, members[last])) for gaps, members, _ in found]
    return paired_over_seeds(pairs, 1)


def lines(ledgers: Mapping[int, pd.DataFrame], tiers: Sequence[str], methods: Sequence[str]) -> list[str]:
    """Return the table of runs by seed; tiers from the weakest to the strongest."""
    out = [
        "| method | tier | users | stored bits | `fp32` | minus `fp32` | 95 % interval |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for method in methods:
        told = differences(ledgers, method, tiers)
        rows = pd.concat(ledgers.values())
        for tier in tiers:
            mine = rows[(rows.method == method) & (rows.tier == tier)]
            level = np.mean([gaps_of(ledger, method)[2][tier] for ledger in ledgers.values()])
            count = mine.groupby("round").user_id.count().mean() / len(ledgers)
            out.append(f"| `{method}` | {tier} | {count:.0f} | {mine.bits_mean.mean():.2f} | {level:.4f} | {_told(told[tier])} |")
        out.append(f"| `{method}` | {tiers[0]} minus {tiers[-1]} | | | | {_told(told[''])} |")
    return out


def _told(found: Difference) -> str:
    ends = "-" if found.ci95 is None else f"{found.ci95[0]:+.4f} to {found.ci95[1]:+.4f}"
    return f"{found.mean:+.4f} | {ends}"


def main() -> None:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", default="weak-phones")
    parser.add_argument("--methods", nargs="+", default=["chord", "frozen-3"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--activity", type=float, nargs="+", default=[0.8, 0.0])
    parser.add_argument("--tiers", nargs="+", default=["low", "mid", "high"])
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as of chordsim run")
    given = parser.parse_args()
    names = ", ".join(f'"{name}"' for name in (BASELINE, *given.methods))
    for activity in given.activity:
        chosen = [f"methods=[{names}]", f"population.activity_tier={activity}", *given.overrides]
        ledgers = {
            seed: played(given.out / f"activity{activity:+g}-seed-{seed}", given.scenario, seed, chosen)
            .ledger[["method", "round", "tier", "user_id", "bits_mean", "ndcg_10_all"]]
            .astype({"method": str, "tier": str})
            for seed in given.seeds
        }
        there = set().union(*(ledger.tier for ledger in ledgers.values()))
        if unknown := [tier for tier in given.tiers if tier not in there]:
            raise UserError(f"--tiers {unknown[0]}: no phone of that tier; there are {', '.join(sorted(there))}")
        print(f"\nactivity and phone correlate at {activity:+g}, seeds {' '.join(map(str, given.seeds))}\n")
        print("\n".join(lines(ledgers, given.tiers, given.methods)), flush=True)


if __name__ == "__main__":
    raise SystemExit(ended(main))
