"""Feeds damaged messages to every decoder: `python -m benchmarks.fuzz --messages 10000000 --processes 2`.

Each decoder gets sound messages that were flipped, cut, grown, spliced, overwritten with awkward values or
replaced by noise, with and without a CRC that was made to match again. Anything but a result or a typed error
counts as a crash and is printed with the message that caused it. The exit code is 0 only if there was none.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from benchmarks.fuzz.target import large
from benchmarks.fuzz.worker import TARGETS, start, work


def main() -> int:
    """Fuzz and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="where to write the counts as JSON")
    given = parser.parse_args()
    start()
    total = sum(target.share for target in TARGETS.values())
    jobs = []
    for name, target in TARGETS.items():
        each = round(given.messages * target.share / total / given.processes)
        jobs += [(name, each, given.seed + part) for part in range(given.processes)]
    memory = {name: large(target, 64 * 1024, np.random.default_rng(given.seed)) for name, target in TARGETS.items()}
    began, counts, crashes, slowest, peak = time.monotonic(), Counter[str](), [], 0.0, 0
    with ProcessPoolExecutor(given.processes, get_context("spawn"), initializer=start) as pool:
        for name, fed, bad, slow, rss in pool.map(work, jobs):
            counts[name] += fed
            crashes += bad
            slowest, peak = max(slowest, slow), max(peak, rss)
    for name, count in counts.items():
        print(f"{count:>12,}  {name} ({memory[name] / 2**20:.2f} MiB for a message of 64 kB)")
    seconds = time.monotonic() - began
    print(f"{counts.total():>12,}  messages in {seconds:.0f} s; {len(crashes)} crashes")
    print(f"slowest {slowest * 1e3:.1f} ms a message; peak RSS {peak / 2**20:.0f} MiB")
    for crash in crashes:
        print(crash)
    if given.out:
        with open(given.out, "w") as file:
            json.dump({"messages": dict(counts), "crashes": crashes, "slowest_s": slowest, "memory_bytes": memory}, file, indent=1)
    return 1 if crashes or max(memory.values()) > 16 * 2**20 else 0


if __name__ == "__main__":
    raise SystemExit(main())
