"""Whether this build and another checkout give the same phones, ranks, bits and bytes for the same scenario, under the same rules.

    python -m benchmarks.throughput.agreement CHECKOUT [KEY=VALUE ...]

Both play untrained `chord-plus` on ml-1m's shapes as commands of their own; this side gets `SAME_RULES` besides. One line for each column
that both have, and exit code 1 if more differs than a few ranks.

Against bcca819 twelve of 5,120 ranks differ with `engine.kernel = "torch"`, by up to 39 places: since then a channel of 4 bits takes,
of two scales, the one that loses less (`chordsim.quant.quantizer`), so phones whose plans hold such a channel may rank otherwise. All
profiles, utilities and plans are equal; with the scale of before put back, so are all ranks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from benchmarks.same_ledgers.checkout import Checkout
from benchmarks.throughput.against import SAME_RULES, python_of
from benchmarks.throughput.contest import QUIET, ROOT
from benchmarks.throughput.kinds.commands import ENTRY
from benchmarks.throughput.work import ML_1M, UNTRAINED

KEY = ["method", "round", "device_id"]
SCENARIO = (*ML_1M, *UNTRAINED, "population.devices=2560", "rounds.count=2")
#: What follows from the rank, and so may move with it.
RANKED = {"rank", "mrr", *(f"{metric}_{k}" for metric in ("hr", "ndcg") for k in (1, 5, 10, 20, 50, 100))}
#: So many ranks may move: the order of sums decides last bits, and so which of two items stands first, or which of two channels whose
#: utilities tie gets the bits.
MAY_MOVE = 0.01


def main(arguments: Sequence[str]) -> int:
    """Play on both sides, print, and return the exit code."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT", help="the other one")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the scenario, on both sides")
    given = parser.parse_args(arguments)
    there, more = given.checkout.absolute(), given.overrides
    Checkout(there).check()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        before = played(there, python_of(there), [*SCENARIO, *more], Path(folder) / "before")
        now = played(ROOT, sys.executable, [*SCENARIO, *SAME_RULES, *more], Path(folder) / "now")
    lines, same = told(before, now)
    print("\n".join(lines))
    return 0 if same else 1


def played(root: Path, python: str, overrides: Sequence[str], folder: Path) -> pd.DataFrame:
    """Return the ledger of `quickstart` with these keys on a checkout."""
    chosen = [part for text in overrides for part in ("--set", text)]
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(root), "CHORDSIM_CACHE": str(folder / "models"), "OMP_NUM_THREADS": "1"}
    command = [python, "-W", "ignore", "-c", ENTRY, "run", "quickstart", *chosen, "--out", str(folder / "run")]
    folder.mkdir()
    subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    return ds.dataset(folder / "run" / "ledger").to_table().to_pandas().sort_values(KEY, ignore_index=True)


def told(before: pd.DataFrame, now: pd.DataFrame) -> tuple[list[str], bool]:
    """Return a line for each column that both have, and whether both are the same but for ranks that last bits moved."""
    if len(before) != len(now) or not before[KEY].equals(now[KEY]):
        return [f"{len(before)} rows before, {len(now)} now, or other phones"], False
    lines, same = (
        [f"{len(now)} device-rounds, served: {(before['outcome'] == 'served').sum()} before, {(now['outcome'] == 'served').sum()} now"],
        True,
    )
    for column in (name for name in before if name in now and name not in KEY):
        apart = int((before[column].astype("object").fillna(-1) != now[column].astype("object").fillna(-1)).sum())
        if not apart:
            lines.append(f"{column}: equal")
            continue
        same &= column in RANKED and apart <= MAY_MOVE * len(now)
        most = (before[column].astype(float) - now[column].astype(float)).abs().max() if column in RANKED else None
        lines.append(f"{column}: {apart} of {len(now)} differ" + ("" if most is None else f", by up to {most:.3g}"))
    return lines, same


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
