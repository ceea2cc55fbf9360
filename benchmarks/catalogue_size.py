"""What a catalogue of a million items costs a run where it stays in the cloud: memory, and device-rounds a second beside a small one.

    python -m benchmarks.catalogue_size --out DIR [--items N ...] [--turns N] [--set KEY=VALUE ...]

Plays `big-catalogue` (10,000 phones, 5 rounds, the cloud lists by counts) over catalogues of each size, in turns, each run a process of its
own. Rates are of rounds, after training, lists and ledger included: device-rounds a second of the clock, and of processors, which other
work on the machine disturbs less. Exit code 1 if the largest catalogue takes 6 GB or more, or gives less than 80 % of the rate of the
smallest, by processors. Cloud models are trained in the first turn and then come from the cache.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chordsim
from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive
from benchmarks.throughput.kinds.rounds import Clock
from chordsim.files import atomic_write, json_bytes, read_json

SIZES = (3416, 1_000_000)
MOST_BYTES, LEAST_RATE = 6e9, 0.8


def play(items: int, folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Return what the run's summary says of the engine, with the rate by processors; a run that is there already is not played again."""
    told = folder.with_suffix(".json")
    if not told.exists():
        chosen = [part for text in overrides for part in ("--set", text)]
        command = [sys.executable, "-m", "benchmarks.catalogue_size", "--out", str(folder), "--items", str(items), "--here", *chosen]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return read_json(told)


def play_here(items: int, folder: Path, overrides: Sequence[str]) -> None:
    """Play in this process, and write what `play` returns."""
    clock = Clock()
    run = chordsim.run("big-catalogue", overrides=[f"data.synthetic.items={items}", *overrides], out=folder, report=False, progress=clock)
    device_rounds = sum(int(method["device_rounds"]) for method in run.summary["methods"].values())
    (_, began_s, _), (_, ended_s, _) = clock.ended[0], clock.ended[-1]
    told = {**run.summary["engine"], "per_processor_s": device_rounds / (ended_s - began_s)}
    atomic_write(folder.with_suffix(".json"), json_bytes(told))


def main() -> int:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--items", type=positive, nargs="+", default=list(SIZES))
    parser.add_argument("--turns", type=positive, default=3)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as of chordsim run")
    parser.add_argument("--here", action="store_true", help="play one size in this process, into --out itself")
    given = parser.parse_args()
    if given.here:
        play_here(given.items[0], given.out, given.overrides)
        return 0
    found: dict[int, list[dict[str, Any]]] = {items: [] for items in sorted(given.items)}
    for turn in range(given.turns):
        for items, engines in found.items():
            engines.append(play(items, given.out / f"{items}-{turn}", given.overrides))
    heads = ("items", "device-rounds/s (least to most)", "device-rounds/s of a processor", "lists, s", "training, s", "peak, GB")
    print(f"| {' | '.join(heads)} |\n|{' ---: |' * len(heads)}")
    for items, engines in found.items():
        rates = [engine["device_rounds_per_s"] for engine in engines]
        peak, lists = max(engine["peak_rss_bytes"] for engine in engines) / 1e9, statistics.median(engine["cloud_s"] for engine in engines)
        train = max(engine.get("train_s", 0.0) for engine in engines)
        spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
        own = statistics.median(engine["per_processor_s"] for engine in engines)
        print(f"| {items:,} | {spread} | {own:,.0f} | {lists:.1f} | {train:.0f} | {peak:.2f} |")
    small, big = found[min(found)], found[max(found)]
    shares = [b["per_processor_s"] / s["per_processor_s"] for s, b in zip(small, big, strict=True)]
    peak = max(engine["peak_rss_bytes"] for engine in big)
    each = ", ".join(f"{share:.0%}" for share in shares)
    print(f"\nof the small one's rate by processors, turn by turn: {each}; median {statistics.median(shares):.0%}")
    return int(peak >= MOST_BYTES or statistics.median(shares) < LEAST_RATE)


if __name__ == "__main__":
    sys.exit(ended(main))
