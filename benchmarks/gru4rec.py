"""GRU4Rec beside SASRec: `fp32` of `repro-ml-100k` on both backbones over seeds, user by user.

Usage: python -m benchmarks.gru4rec [--runs FOLDER] [--seeds 1 2 3] [--set key=value ...]     (prints the table of docs/add-a-backbone.md)
A run that is complete under its name is not played again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.cut_off import ended
from benchmarks.kept_runs import by_user, played
from benchmarks.parser import parser_of
from chordsim.api import RunResult
from chordsim.arrays import Floats
from chordsim.statistics.differences import paired_over_seeds
from chordsim.statistics.estimates import estimate_over_seeds

#: Everything else is as the scenario has it; the feed-forward width is SASRec's own and stands at its default.
BACKBONES = ("sasrec", "gru4rec")
METHOD, SCENARIO, WITHIN = "fp32", "repro-ml-100k", 0.03


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is missing, print the table, and return 0 if GRU4Rec is at most 3 % below SASRec as a point estimate, 1 if not."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "gru4rec")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    given = parser.parse_args(arguments)
    runs = {
        (kind, seed): played(given.runs / f"{kind}-{seed}", SCENARIO, seed, overrides_of(kind, given.overrides))
        for seed in given.seeds
        for kind in BACKBONES
    }
    users = {kind: [by_user(runs[kind, seed].ledger) for seed in given.seeds] for kind in BACKBONES}
    lines, ratio = told(users, given.seeds[0])
    print("| backbone | NDCG@10 (95 %) | by seed | steps by seed |\n| --- | ---: | --- | --- |")
    for kind, words in lines.items():
        print(f"| {kind} | {words} | {' '.join(steps(runs[kind, seed]) for seed in given.seeds)} |")
    print(f"\n{ratio_words(users, given.seeds[0])}")
    return 0 if ratio >= 1 - WITHIN else 1


def overrides_of(kind: str, more: Sequence[str]) -> list[str]:
    """Return what one backbone's run changes in the scenario."""
    return [f'methods=["{METHOD}"]', "settings={}", f"backbone={{kind={kind!r}, dim=64, max_len=50}}", *more]


def steps(run: RunResult) -> str:
    """Return after how many steps validation stopped improving."""
    return str(run.manifest["trained"][METHOD]["steps"])


def told(users: dict[str, list[Floats]], seed: int) -> tuple[dict[str, str], float]:
    """Return by backbone its mean with interval and each seed's own, and the ratio of the two means."""
    made = {kind: estimate_over_seeds(values, seed) for kind, values in users.items()}
    lines = {}
    for kind, one in made.items():
        low, high = one.ci95 or (np.nan, np.nan)
        seeds = " ".join(f"{value:.4f}" for value in one.by_seed)
        lines[kind] = f"{one.mean:.4f} ({low:.4f} to {high:.4f}) | {seeds}"
    return lines, (made["gru4rec"].mean or np.nan) / (made["sasrec"].mean or np.nan)


def ratio_words(users: dict[str, list[Floats]], seed: int) -> str:
    """Return the difference, each user and seed with themselves, absolute and in percent of SASRec's mean."""
    pairs = list(zip(users["gru4rec"], users["sasrec"], strict=True))
    d = paired_over_seeds({"gru4rec": pairs}, seed)["gru4rec"]
    base = float(np.nanmean([np.nanmean(values) for values in users["sasrec"]]))
    mean, (low, high) = d.mean or np.nan, d.ci95 or (np.nan, np.nan)
    return (
        f"GRU4Rec minus SASRec: {mean:+.4f} ({low:+.4f} to {high:+.4f}, 95 % over users and seeds), "
        f"{mean / base:+.1%} ({low / base:+.1%} to {high / base:+.1%}) of SASRec's NDCG@10; {d.users} users, p {d.p:.2g}."
    )


if __name__ == "__main__":
    raise SystemExit(ended(main))
