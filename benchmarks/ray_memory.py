"""Does memory grow over rounds on Ray? RSS of driver and workers after round 5 and after the last of 50.

Run: python -m benchmarks.ray_memory [WORKERS] [ROUNDS]. Prints one line per process; exit code 1 if any grew by more than 5 %.
"""

from __future__ import annotations

import gc
import re
import sys
import tempfile
from pathlib import Path

import psutil

import chordsim
from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive

FIRST = 5
METHODS = ("fp32", "chord", "chord-plus", "cloud-only")
OVERRIDES = ("data.synthetic.mean_length=70.0", "training.max_steps=5", "training.eval_every=5")


def measure() -> dict[str, int]:
    """Return resident bytes of the driver and of each worker, workers in order of their process ids."""
    gc.collect()
    driver = psutil.Process()
    sizes = {"driver": driver.memory_info().rss}
    for child in sorted(driver.children(recursive=True), key=lambda process: process.pid):
        if "ray::Worker" in " ".join(child.cmdline()):
            sizes[f"worker {child.pid}"] = child.memory_info().rss
    return sizes


class Watch:
    """Progress that measures when the last method of a round is done."""

    def __init__(self) -> None:
        self.sizes: dict[int, dict[str, int]] = {}

    def start(self, title: str, total: int | None) -> None:
        """Say what begins."""
        print(title, flush=True)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Measure after each round."""
        found = re.match(rf"round (\d+) {METHODS[-1]}:", note)
        if found:
            self.sizes[int(found[1])] = measure()

    def done(self, note: str = "") -> None:
        """Say how it ended."""
        print(note, flush=True)


def main(arguments: list[str]) -> int:
    """Run, print, and return 1 if memory grew."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("workers", type=positive, nargs="?", default=2, metavar="WORKERS")
    parser.add_argument("rounds", type=positive, nargs="?", default=50, metavar="ROUNDS")
    given = parser.parse_args(arguments)
    if given.rounds <= FIRST:
        parser.error(f"ROUNDS is {given.rounds}: memory is first measured after round {FIRST}, so more are needed")
    workers, rounds = given.workers, given.rounds
    watch = Watch()
    methods = "methods=[" + ",".join(f'"{name}"' for name in METHODS) + "]"
    with tempfile.TemporaryDirectory() as folder:
        overrides = [methods, f"rounds.count={rounds}", *OVERRIDES]
        chordsim.run("offline", overrides=overrides, engine="ray", workers=workers, out=Path(folder) / "run", progress=watch)
    grew = False
    for name, before in watch.sizes[FIRST].items():
        after = watch.sizes[rounds].get(name, 0)
        grew |= after > 1.05 * before
        print(f"{name}: {before / 2**20:.1f} MiB after round {FIRST}, {after / 2**20:.1f} after round {rounds} ({after / before - 1:+.1%})")
    return int(grew)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
