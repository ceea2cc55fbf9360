"""Which side of the phones explains what differs between them: each side made equal in turn, the rest left as it is.

Usage: python benchmarks/knock_outs.py [--scenario NAME] [--seeds N]

For every method: the variance between phones of the share of rounds served, of the seconds of a round and of what the
user saw (NDCG@10, intention to serve), and the share of it that goes away when RAM, compute, link or availability is made
equal. Shares need not sum to one: sides act together, and what is left is the users' own. Negative means that the
others matter more once this side is equal.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pandas as pd

import chordsim

SIDES = ("ram", "compute", "link", "availability")
QUANTITIES = {"served": "service", "total_s": "seconds", "ndcg_10_all": "accuracy"}


def variances(scenario: str, equal: tuple[str, ...], seed: int, folder: Path) -> pd.DataFrame:
    """Return the variance between phones by method and quantity."""
    sides = ", ".join(f'"{side}"' for side in equal)
    run = chordsim.run(scenario, overrides=[f"population.equal=[{sides}]"], seed=seed, out=folder / f"{'-'.join(equal) or 'none'}-{seed}")
    ledger = run.ledger.assign(served=lambda t: (t.outcome == "served").astype(float))
    by_phone = ledger.groupby(["method", "device_id"], observed=True)[list(QUANTITIES)].mean()
    return by_phone.groupby("method", observed=True).var()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="knock-out-ram")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, options.seeds + 1):
            whole = variances(options.scenario, (), seed, Path(folder))
            for side in SIDES:
                left = variances(options.scenario, (side,), seed, Path(folder))
                explained = (1 - left / whole).rename(columns=QUANTITIES)
                lines.append(explained.assign(side=side, seed=seed).reset_index())
                print(f"seed {seed}: {side} made equal", file=sys.stderr)
    table = pd.concat(lines).groupby(["method", "side"], observed=True)[list(QUANTITIES.values())].mean()
    print(table.map("{:.0%}".format).to_string())


if __name__ == "__main__":
    main()
