"""Feeds damaged messages to every decoder: `python -m benchmarks.fuzz --messages 100000000 [--processes 2] [--finished FILE]`.

Each decoder gets sound messages that were flipped, cut, grown, spliced, overwritten with awkward values or
replaced by noise, with and without a CRC that was made to match again. Anything but a result or a typed error
counts as a crash and is printed with the message that caused it. The exit code is 0 only if there was none. Pieces of a million messages
that stand in the file given by `--finished` are counted and not fed again, so a long run can be cut off and go on. A process that ends
before its piece is fed is told with its decoder, the messages it had had, and its signal or exit code; the piece, the same messages, is
fed once more. Only where somebody else ended the process, and the piece was fed then, is that no crash.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cut_off import ended
from benchmarks.fuzz.feeders import feed
from benchmarks.fuzz.target import large
from benchmarks.fuzz.worker import TARGETS, names
from benchmarks.kept_lines import kept_lines
from benchmarks.parser import parser_of, positive

#: Messages of a piece, and the most bytes that one message may make a decoder allocate.
PIECE, MOST_BYTES = 1_000_000, 16 * 2**20


def main() -> int:
    """Fuzz and print the counts."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--messages", type=positive, default=PIECE)
    parser.add_argument("--processes", type=positive, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the first piece; they count up")
    parser.add_argument("--finished", type=Path, help="a file of pieces that were fed; this one's are added")
    given = parser.parse_args()
    pieces = {given.seed + n: min(PIECE, given.messages - n * PIECE) for n in range(-(-given.messages // PIECE))}
    done = [line for line in kept_lines(given.finished, "seed") if line["seed"] in pieces]
    began, fed = time.monotonic(), {line["seed"] for line in done if "messages" in line}
    for line in feed([(count, seed) for seed, count in pieces.items() if seed not in fed], given.processes):
        done.append(line)
        if given.finished is not None:
            with open(given.finished, "a") as file:
                file.write(json.dumps(line) + "\n")
        if "ended" in line:
            print(_end(line), flush=True)
    return _told(done, list(pieces), time.monotonic() - began)


def _told(lines: list[dict[str, Any]], seeds: list[int], seconds: float) -> int:
    """Print the counts of all pieces; return the exit code."""
    names()
    memory = {name: large(target, 64 * 1024, np.random.default_rng(seeds[0])) for name, target in TARGETS.items()}
    done, ends = [line for line in lines if "messages" in line], [line for line in lines if "ended" in line]
    counts = sum((Counter(piece["messages"]) for piece in done), Counter[str]())
    crashes = [crash for piece in done for crash in piece["crashes"]]
    crashes += [_end(line) for line in ends if not line["outside"]]
    for name, count in counts.items():
        print(f"{count:>12,}  {name} ({memory[name] / 2**20:.2f} MiB for a message of 64 kB)")
    print(f"{counts.total():>12,}  messages in {seconds:.0f} s; {len(crashes)} crashes, {len(ends)} processes that ended early")
    slowest, peak = (max((piece[what] for piece in done), default=0) for what in ("slowest_s", "peak_rss_bytes"))
    print(f"slowest {slowest * 1e3:.1f} ms a message; peak RSS {peak / 2**20:.0f} MiB")
    print(*crashes, sep="\n")
    missing = sorted(set(seeds) - {piece["seed"] for piece in done})
    if missing:
        print(f"pieces that were given up: {missing}")
    return 1 if crashes or missing or max(memory.values()) > MOST_BYTES else 0


def _end(line: dict[str, Any]) -> str:
    """Return in words how a process ended before its piece was fed."""
    memory = {None: "not known", 0: "none"}.get(line["killed_for_memory"], str(line["killed_for_memory"]))
    where = f"piece {line['seed']}, decoder {line['decoder']}, after {line['after']:,} messages"
    return f"a process ended early: {where}: {line['ended']}; processes killed for want of memory meanwhile: {memory}"


if __name__ == "__main__":
    sys.exit(ended(main, "pieces in the file of --finished are not fed again"))
