"""What a catalogue of a million items costs a run where it stays in the cloud: memory, and device-rounds a second beside a small one.

    python -m benchmarks.catalogue_size --out DIR [--items N ...] [--turns N] [--set KEY=VALUE ...]

Plays `big-catalogue` (10,000 phones, 5 rounds, the cloud lists by counts) over catalogues of each size, in turns, each run a process of its
own. The rate is of rounds, after training; `cloud_s`, in which lists are made, is a part of it. Exit code 1 if the largest catalogue takes
6 GB or more, or gives less than 80 % of the rate of the smallest. Cloud models are trained in the first turn and then come from the cache.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chordsim.files import read_json

SIZES = (3416, 1_000_000)
MOST_BYTES, LEAST_RATE = 6e9, 0.8


def play(items: int, folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Return what the run's summary says of the engine; a run that is there already is not played again."""
    if not (folder / "summary.json").exists():
        chosen = [part for text in (f"data.synthetic.items={items}", *overrides) for part in ("--set", text)]
        entry = "import sys; from chordsim.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", entry, "run", "big-catalogue", *chosen, "--out", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    engine: dict[str, Any] = read_json(folder / "summary.json")["engine"]
    return engine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--items", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as of chordsim run")
    given = parser.parse_args()
    found: dict[int, list[dict[str, Any]]] = {items: [] for items in sorted(given.items)}
    for turn in range(given.turns):
        for items, engines in found.items():
            engines.append(play(items, given.out / f"{items}-{turn}", given.overrides))
    print("| items | device-rounds/s (least to most) | lists, s | training, s | peak, GB |\n| ---: | ---: | ---: | ---: | ---: |")
    for items, engines in found.items():
        rates = [engine["device_rounds_per_s"] for engine in engines]
        peak, lists = max(engine["peak_rss_bytes"] for engine in engines) / 1e9, statistics.median(engine["cloud_s"] for engine in engines)
        train = max(engine.get("train_s", 0.0) for engine in engines)
        spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
        print(f"| {items:,} | {spread} | {lists:.1f} | {train:.0f} | {peak:.2f} |")
    small, big = found[min(found)], found[max(found)]
    shares = [b["device_rounds_per_s"] / s["device_rounds_per_s"] for s, b in zip(small, big, strict=True)]
    peak = max(engine["peak_rss_bytes"] for engine in big)
    each = ", ".join(f"{share:.0%}" for share in shares)
    print(f"\nof the small one's rate, turn by turn: {each}; median {statistics.median(shares):.0%}")
    return int(peak >= MOST_BYTES or statistics.median(shares) < LEAST_RATE)


if __name__ == "__main__":
    sys.exit(main())
