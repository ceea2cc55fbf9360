"""Fit the era `mlperf-mobile` to MLPerf Mobile's published results, and tell how far one speed says what a phone takes.

Usage: python -m benchmarks.fit_mlperf CLONE ...     (clones of mlcommons/mobile_results_v3.1, _v4.0, _v4.1, _v5.0; Apache License 2.0)

Only the printed parameters ship, never the files.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from chordsim.errors import DataError, UserError, typed_line

#: The one model that all rounds from v3.1 to v5.0 ran unchanged, and the others that some phones share.
MODEL = "natural_language_processing"
OTHERS = ("object_detection", "image_segmentation_v2", "super_resolution", "image_classification_v2")
RESULTS = "closed/*/results/**/result*.json"
#: MobileBERT (arXiv:2004.02984): width, bottleneck, blocks, stacked feed-forward layers; MLPerf Mobile's tokens ("mobilebert_int8_384").
WIDTH, INNER, BLOCKS, STACKED, TOKENS = 512, 128, 24, 4, 384


def macs(tokens: int) -> int:
    """Return the multiply-accumulates of MobileBERT for so many tokens; for 128 the paper says 5.7 GFLOPs, two to each."""
    block = 2 * WIDTH * INNER + 2 * INNER**2 + WIDTH * INNER + INNER**2 + STACKED * 2 * INNER * WIDTH + INNER * WIDTH
    return tokens * (3 * INNER * WIDTH + BLOCKS * (block + 2 * tokens * INNER))


@dataclass(frozen=True)
class Entry:
    """One phone's results: requests per second by benchmark, one at a time."""

    round: str
    system: str
    processor: bool
    per_s: dict[str, float]
    ram_gb: float


def entries(clone: Path) -> Iterator[Entry]:
    """Read a round's result files; what has none (laptops write text) is left out.

    Raises:
        UserError: The folder holds no results of a round.
        DataError: A result file is damaged, or of another form.
    """
    paths = sorted(clone.glob(RESULTS))
    if not paths:
        raise UserError(f"{clone}: no clone of mlcommons/mobile_results_v*: it holds no {RESULTS}")
    for path in paths:
        try:
            entry = _entry(clone, path)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: no result of MLPerf Mobile: {typed_line(error)}") from error
        if entry is not None:
            yield entry


def _entry(clone: Path, path: Path) -> Entry | None:
    found = {r["benchmark_id"]: r for r in _results(json.loads(path.read_text())) if r["loadgen_scenario"] == "SingleStream"}
    systems = sorted((clone / path.relative_to(clone).parts[0] / path.relative_to(clone).parts[1] / "systems").glob("*.json"))
    mine = next((s for s in systems if s.stem == path.parent.name), systems[0] if systems else None)
    ram = mine and re.search(r'"(?:DRAM|Memory)"\s*:\s*"[^"]*?(\d+)\s*(?:\+\d+)?\s*GB', mine.read_text())
    if MODEL not in found or mine is None or not ram:
        return None
    per_s = {name: float(r["performance_run"]["throughput"]["value"]) for name, r in found.items()}
    return Entry(clone.name, mine.stem, found[MODEL]["backend_info"]["accelerator_name"] == "CPU", per_s, float(ram[1]))


def _results(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "benchmark_id" in node:
            yield node
        else:
            for value in node.values():
                yield from _results(value)
    elif isinstance(node, list):
        for value in node:
            yield from _results(value)


def scaling(all_entries: list[Entry]) -> None:
    """Print how far a phone's time lies from what another's time and the speeds of both at another model say."""
    for other in OTHERS:
        have = [e for e in all_entries if other in e.per_s]
        for name, some in (("accelerators", [e for e in have if not e.processor]), ("all", have)):
            off = [
                abs(np.log(a.per_s[MODEL] / b.per_s[MODEL] / (a.per_s[other] / b.per_s[other])))
                for a, b in permutations(some, 2)
                if a.system != b.system
            ]
            if off:
                middle, most = np.exp(np.median(off)), np.exp(max(off))
                print(f"scaled by {other}, {name}, {len(off)} pairs: off by a factor of {middle:.2f} (median), {most:.2f} (most)")


def main() -> None:
    """Fit and print."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("clones", type=Path, nargs="+", metavar="CLONE")
    every = [entry for clone in parser.parse_args().clones for entry in entries(clone)]
    if not every:
        raise UserError(f"no phone in these clones ran {MODEL} one request at a time")
    # A chip has one vote, its newest; a reference design counts only where no phone with the chip was sent in.
    chips: dict[str, Entry] = {}
    for entry in every:
        if not entry.system.endswith("_RDI"):
            chips[entry.system] = entry
    votes = list(chips.values())
    ms = np.array([1e3 / entry.per_s[MODEL] for entry in votes])
    on_cpu = np.array([entry.processor for entry in votes])
    print(f"{len(every)} results, {len(votes)} chips: {', '.join(f'{e.system} {e.per_s[MODEL]:.1f}/s' for e in votes)}")
    print(f"slowest over fastest: {ms.max() / ms.min():.0f} times; MobileBERT of {TOKENS} tokens: {macs(TOKENS) / 1e9:.2f} GMAC")
    print(f"    (of 128 tokens {2 * macs(128) / 1e9:.2f} GFLOPs; the paper says 5.7)")
    for name, part in (("accelerator", ms[~on_cpu]), ("processor", ms[on_cpu])):
        spread = np.log(part).std(ddof=1) if part.size > 1 else float("nan")
        print(f"{name}: weight {part.size / ms.size:.3f}, median {np.exp(np.log(part).mean()):.3f} ms, log spread {spread:.3f}")
    ram = Counter(entry.ram_gb for entry in votes)
    print(f"RAM: {[(size, round(count / len(votes), 3)) for size, count in sorted(ram.items())]}")
    print(f"RAM with speed: Spearman {stats.spearmanr(-ms, [entry.ram_gb for entry in votes]).statistic:.2f}")
    scaling(votes)


if __name__ == "__main__":
    sys.exit(ended(main))
