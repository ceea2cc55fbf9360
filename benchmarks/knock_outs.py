"""Which side of the phones explains what differs between them: each side made equal in turn, the rest left as it is.

Usage: python -m benchmarks.knock_outs [--scenario NAME] [--seeds N]

For every method, of the variance between phones in the share of rounds served, the seconds of a round and what the user
saw (NDCG@10, intention to serve), two shares for RAM, compute, link and availability:

explained: what phones that are alike on this side have in common in the run as it is (variance of means over ten equal
    groups of phones by this side, corrected for the number of groups).
removed: what goes away when this side is really made equal. Negative where other sides matter more once it is: phones
    that are always free differ more by memory than phones that are seldom free at all.

Neither sums to one: sides act together, and what is left is luck and the users' own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd

import chordsim
from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive

SIDES = ("ram", "compute", "link", "availability")
QUANTITIES = {"served": "service", "total_s": "seconds", "ndcg_10_all": "accuracy"}


def variances(scenario: str, equal: tuple[str, ...], seed: int, folder: Path) -> pd.DataFrame:
    """Return the variance between phones by method and quantity."""
    sides = ", ".join(f'"{side}"' for side in equal)
    run = chordsim.run(scenario, overrides=[f"population.equal=[{sides}]"], seed=seed, out=folder / f"{'-'.join(equal) or 'none'}-{seed}")
    ledger = run.ledger.assign(served=lambda t: (t.outcome == "served").astype(float))
    by_phone = ledger.groupby(["method", "device_id"], observed=True)[list(QUANTITIES)].mean()
    return by_phone.groupby("method", observed=True).var()


def explained(scenario: str, seed: int, folder: Path) -> pd.DataFrame:
    """Return the share of the variance between phones that each side explains in the run as it is."""
    run = chordsim.run(scenario, overrides=["population.equal=[]"], seed=seed, out=folder / f"as-it-is-{seed}")
    outcome = run.ledger.outcome
    ledger = run.ledger.assign(served=(outcome == "served").astype(float), away=(outcome == "offline").astype(float))
    phones = run.devices.set_index("device_id")
    lines = []
    for method, rows in ledger.groupby("method", observed=True):
        mean = rows.groupby("device_id")[[*QUANTITIES, "away"]].mean()
        side = {
            "ram": phones.memory_budget_bytes,
            "compute": phones.macs_per_s,
            "link": phones.down_bytes_per_s / phones.round_trip_s,
            "availability": mean.away,
        }
        for name, values in side.items():
            group = pd.qcut(values.reindex(mean.index).rank(method="first" if name != "availability" else "dense"), 10, duplicates="drop")
            found = {title: _share(mean[quantity], group) for quantity, title in QUANTITIES.items()}
            lines.append({"method": method, "side": name, "seed": seed, **found})
    return pd.DataFrame(lines)


def _share(values: pd.Series, group: pd.Series) -> float:
    within = values.groupby(group, observed=True).var(ddof=0).mul(group.value_counts()).sum()
    whole, count, groups = values.var(ddof=0) * len(values), len(values), group.nunique()
    return 1 - within / whole * (count - 1) / max(count - groups, 1) if whole else 0.0


def main() -> None:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--scenario", default="knock-out-ram")
    parser.add_argument("--seeds", type=positive, default=3)
    options = parser.parse_args()
    lines, as_they_are = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, options.seeds + 1):
            as_they_are.append(explained(options.scenario, seed, Path(folder)))
            whole = variances(options.scenario, (), seed, Path(folder))
            for side in SIDES:
                left = variances(options.scenario, (side,), seed, Path(folder))
                gone = (1 - left / whole).rename(columns=QUANTITIES)
                lines.append(gone.assign(side=side, seed=seed).reset_index())
                print(f"seed {seed}: {side} made equal", file=sys.stderr)
    print("explained")
    print(_table(pd.concat(as_they_are)))
    print("removed")
    print(_table(pd.concat(lines)))


def _table(lines: pd.DataFrame) -> str:
    table = lines.groupby(["method", "side"], observed=True)[list(QUANTITIES.values())].mean()
    return str(table.map("{:.0%}".format).to_string())


if __name__ == "__main__":
    sys.exit(ended(main))
