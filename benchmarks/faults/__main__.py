"""Plays seeds of faults: `python -m benchmarks.faults --seeds 2000 [--first N] [--engine ray] [--finished FILE]`.

Each seed decides a scenario, methods, workers, phones that lie, and faults: kills at a write or an exchange, torn and failed writes,
files that are damaged after a kill, cells that are lost, doubled or out of order; on Ray workers and the raylet are killed too. The run
that met them is resumed until it is whole, and must equal the one that met none: end, ledger, books, listing of rounds, phones, sums and
files. A seed that fails is printed with what differs, and plays the same again with `--first SEED --seeds 1`. The exit code is 0 only if
none did. Seeds that stand in the file given by `--finished` are not played again but counted, so a long sweep can be cut off and go on.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.cut_off import ended
from benchmarks.faults.finished import Finished
from benchmarks.faults.plan import plan
from benchmarks.parser import parser_of, positive


def main() -> int:
    """Play, and print the counts."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--seeds", type=positive, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--engine", choices=("inprocess", "ray"), default="inprocess")
    parser.add_argument("--folder", type=Path, help="where runs are played; each is removed once it is compared")
    parser.add_argument("--finished", type=Path, help="a file of seeds that were played; this one's are added")
    given = parser.parse_args()
    done = Finished(given.finished, given.engine)
    root = Path(tempfile.mkdtemp(prefix="faults-", dir=given.folder))
    os.environ.setdefault("CHORDSIM_CACHE", str(root / "cache"))
    from benchmarks.faults.play import play

    began, seeds = time.monotonic(), range(given.first, given.first + given.seeds)
    try:
        for seed in seeds:
            if seed in done.met:
                continue
            folder = root / str(seed)
            folder.mkdir()
            try:
                found, met = play(plan(seed, given.engine), folder)
            except Exception as error:  # a bug is what is looked for
                found, met = [f"{type(error).__name__}: {error}"], Counter[str]()
            if found:
                print(f"seed {seed}: {plan(seed, given.engine)}", *found, sep="\n    ", flush=True)
            done.add(seed, met, found)
            shutil.rmtree(folder)
    finally:
        if given.engine == "ray":
            from benchmarks.faults.on_ray import close

            close()
        shutil.rmtree(root, ignore_errors=True)
    return _told(done, seeds, time.monotonic() - began)


def _told(done: Finished, seeds: range, seconds: float) -> int:
    """Print the counts of all seeds; return the exit code."""
    total = sum((done.met[seed] for seed in seeds), Counter[str]())
    failed = [seed for seed in seeds if done.differ[seed]]
    for kind, count in sorted(total.items()):
        print(f"{count:>8,}  {kind}")
    print(f"{len(seeds):,} runs compared in {seconds:.0f} s, {total.total():,} faults")
    print(f"{len(failed)} differ: {failed}" if failed else "none different")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(ended(main, "seeds in the file of --finished are not played again"))
