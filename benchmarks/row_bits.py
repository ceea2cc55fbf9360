"""What item rows of few bits cost in accuracy where training knows of them, and how small they make a stored model.

    python -m benchmarks.row_bits --out DIR [--steps N] [--scenario NAME] [--seed N] [--set KEY=VALUE ...]

Plays `repro-ml-1m`: `fp32` with rows of 32, 2 and 4 bits, on phones that own the catalogue and rank all of it. Prints each one's NDCG@10 on
the users' targets, its share of that of 32 bits, and the share's 95 % interval (users resampled 10,000 times, both models alike). Then what
`chord-plus` stores with rows of 2 bits, an extractor of 8 and its mask, beside `fp32` at 32 bits, and what first contact brings: these
follow from shapes and plans, so a few steps of training do. Runs stay in DIR and are not played again; a training that was cut off goes on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.cut_off import ended
from benchmarks.kept_runs import by_user, played
from benchmarks.parser import parser_of
from chordsim.api import RunResult
from chordsim.arrays import Floats
from chordsim.statistics.bootstrap import resampled_means

#: Bits of rows, and the least share of the accuracy of the first that was asked of the others.
ASKED = {32: 1.0, 2: 0.97, 4: 0.99}
WHOLE = max(ASKED)
SMALL = ('methods=["chord-plus"]', "settings.chord-plus.extractor_bits=8", 'settings.chord-plus.start="scratch"', "training.max_steps=20")


def share_line(bits: int, run: RunResult, whole: Floats, seed: int) -> str:
    """Return a line of the table of accuracy."""
    own = by_user(run.ledger)
    draws = resampled_means(np.stack([own, whole], 1), seed)
    low, high = np.quantile(draws[:, 0] / draws[:, 1], [0.025, 0.975])
    share = np.nanmean(own) / np.nanmean(whole)
    verdict = "" if bits == WHOLE else f"{ASKED[bits]:.0%}: {'held' if share >= ASKED[bits] else 'missed'}"
    return f"| {bits} bits | {np.nanmean(own):.4f} | {share:.1%} | {low:.1%} to {high:.1%} | {verdict} |"


def stored(run: RunResult, method: str) -> tuple[float, float]:
    """Return the mean bytes of the model that served phones store, and those of first contact."""
    rows = run.ledger[(run.ledger.method == method) & (run.ledger.outcome == "served")]
    return float(rows.model_bytes.mean()), float(run.summary["methods"][method]["first_contact"]["down_bytes"])


def main() -> None:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", default="repro-ml-1m")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as of chordsim run")
    given = parser.parse_args()
    small = [*given.overrides, *SMALL, "backbone.embedding_bits=2"]
    plan = played(given.out / "chord-plus", given.scenario, given.seed, small)
    runs = {}
    for bits in ASKED:
        chosen = [*given.overrides, 'methods=["fp32"]', f"training.max_steps={given.steps}", f"backbone.embedding_bits={bits}"]
        runs[bits] = played(given.out / f"bits-{bits}", given.scenario, given.seed, chosen)
        if bits == WHOLE:
            print(f"{given.scenario}, seed {given.seed}, at most {given.steps} steps\n")
            print("| rows | NDCG@10 | of 32 bits | 95 % interval | asked |\n| --- | ---: | ---: | ---: | --- |")
        print(share_line(bits, runs[bits], by_user(runs[WHOLE].ledger), given.seed), flush=True)
    (mine, mine_first), (full, full_first) = stored(plan, "chord-plus"), stored(runs[WHOLE], "fp32")
    print("\n| model | stored, bytes | of `fp32` | first contact, bytes |\n| --- | ---: | ---: | ---: |")
    print(f"| `fp32`, rows of 32 bits | {full:,.0f} | 100 % | {full_first:,.0f} |")
    print(f"| `chord-plus`, rows of 2 bits, extractor of 8 | {mine:,.0f} | {mine / full:.1%} | {mine_first:,.0f} |")


if __name__ == "__main__":
    raise SystemExit(ended(main))
