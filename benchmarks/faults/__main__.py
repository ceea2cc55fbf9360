"""Plays seeds of faults: `python -m benchmarks.faults --seeds 2000 [--first N] [--engine ray]`.

Each seed decides a scenario, methods, workers, phones that lie, and faults: kills at a write or an exchange, torn and failed writes,
files that are damaged after a kill, cells that are lost, doubled or out of order; on Ray workers and the raylet are killed too. The run
that met them is resumed until it is whole, and must equal the one that met none: end, ledger, books, listing of rounds, phones, sums and
files. A seed that fails is printed with what differs, and plays the same again with `--first SEED --seeds 1`. The exit code is 0 only if
none did.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.faults.plan import plan


def main() -> int:
    """Play, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--engine", choices=("inprocess", "ray"), default="inprocess")
    parser.add_argument("--folder", type=Path, help="where runs are played; each is removed once it is compared")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="faults-", dir=given.folder))
    os.environ.setdefault("CHORDSIM_CACHE", str(root / "cache"))
    from benchmarks.faults.play import play

    began, met, failed, compared = time.monotonic(), Counter[str](), [], 0
    try:
        for seed in range(given.first, given.first + given.seeds):
            folder = root / str(seed)
            folder.mkdir()
            try:
                found, came = play(plan(seed, given.engine), folder)
            except Exception as error:  # a bug is what is looked for
                found, came = [f"{type(error).__name__}: {error}"], Counter[str]()
            met.update(came)
            compared += 1
            if found:
                failed.append(seed)
                print(f"seed {seed}: {plan(seed, given.engine)}", *found, sep="\n    ", flush=True)
            shutil.rmtree(folder)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for kind, count in sorted(met.items()):
        print(f"{count:>8,}  {kind}")
    print(f"{compared:,} runs compared in {time.monotonic() - began:.0f} s, {met.total():,} faults")
    print(f"{len(failed)} differ: {failed}" if failed else "none different")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
