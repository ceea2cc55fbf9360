"""Feeds damaged messages to every decoder: `python -m benchmarks.fuzz --messages 100000000 [--processes 2] [--finished FILE]`.

Each decoder gets sound messages that were flipped, cut, grown, spliced, overwritten with awkward values or
replaced by noise, with and without a CRC that was made to match again. Anything but a result or a typed error
counts as a crash and is printed with the message that caused it. The exit code is 0 only if there was none. Pieces of a million messages
that stand in the file given by `--finished` are counted and not fed again, so a long run can be cut off and go on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.target import large
from benchmarks.fuzz.worker import TARGETS, start, work

#: Messages of a piece, and the most bytes that one message may make a decoder allocate.
PIECE, MOST_BYTES = 1_000_000, 16 * 2**20


def main() -> int:
    """Fuzz and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=PIECE)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the first piece; they count up")
    parser.add_argument("--finished", type=Path, help="a file of pieces that were fed; this one's are added")
    given = parser.parse_args()
    pieces = {given.seed + n: min(PIECE, given.messages - n * PIECE) for n in range(-(-given.messages // PIECE))}
    done = [piece for piece in _read(given.finished) if piece["seed"] in pieces]
    began, fed = time.monotonic(), {piece["seed"] for piece in done}
    with ProcessPoolExecutor(given.processes, get_context("spawn"), initializer=start) as pool:
        for piece in pool.map(work, [(count, seed) for seed, count in pieces.items() if seed not in fed]):
            done.append(piece)
            if given.finished is not None:
                with open(given.finished, "a") as file:
                    file.write(json.dumps(piece) + "\n")
    return _told(done, time.monotonic() - began, given.seed)


def _told(done: list[dict[str, Any]], seconds: float, seed: int) -> int:
    """Print the counts of all pieces; return the exit code."""
    start()
    memory = {name: large(target, 64 * 1024, np.random.default_rng(seed)) for name, target in TARGETS.items()}
    counts = sum((Counter(piece["messages"]) for piece in done), Counter[str]())
    crashes = [crash for piece in done for crash in piece["crashes"]]
    for name, count in counts.items():
        print(f"{count:>12,}  {name} ({memory[name] / 2**20:.2f} MiB for a message of 64 kB)")
    print(f"{counts.total():>12,}  messages in {seconds:.0f} s; {len(crashes)} crashes")
    slowest, peak = (max(piece[what] for piece in done) for what in ("slowest_s", "peak_rss_bytes"))
    print(f"slowest {slowest * 1e3:.1f} ms a message; peak RSS {peak / 2**20:.0f} MiB")
    print(*crashes, sep="\n")
    return 1 if crashes or max(memory.values()) > MOST_BYTES else 0


def _read(path: Path | None) -> list[dict[str, Any]]:
    """Return the pieces of an earlier run; a line that was cut off is none."""
    if path is None or not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]


if __name__ == "__main__":
    raise SystemExit(main())
