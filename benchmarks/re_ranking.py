"""When a plan pays on MovieLens 1M where the catalogue stays in the cloud: bytes and joules of three models, accuracy of what is trained.

    python -m benchmarks.re_ranking --out DIR [--sizes small medium wide] [--trained small ...] [--steps N] [--set KEY=VALUE ...]

Plays the scenario `re-ranking` for each named backbone: in sizes, on all its phones, or with trained models and real ranks where --trained
names it. Prints for every pair of `chord-plus` and another method the sessions after which it has moved fewer bytes, both methods' bytes
after 1, 10 and 100 sessions, joules a served session, and the paired difference in NDCG@10 of all users with its 95 % interval (users
resampled). Runs stay in DIR and are not played again; their pages have the figure.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.cut_off import ended
from benchmarks.kept_runs import played
from benchmarks.parser import parser_of
from chordsim.report.charts.break_even import Pair, pairs
from chordsim.report.gather import Gathered, gather

COUNTS = (1, 10, 100)
HEADS = (
    "model",
    "against",
    "`chord-plus` has moved fewer bytes",
    "kB after 1 / 10 / 100",
    "the other's",
    "J a session",
    "the other's",
    "NDCG@10 difference (95 %)",
)


def kilobytes(found: Gathered, method: str) -> str:
    """Return a phone's kilobytes after so many served sessions."""
    values = [found.methods[method].after(count) for count in COUNTS]
    return " / ".join("–" if value is None else f"{value / 1000:,.0f}" for value in values)


def joules(found: Gathered, method: str) -> str:
    """Return a served session's joules."""
    value = found.methods[method].costs.joules()
    return "–" if value is None else f"{value:.2f}"


def accuracy(pair: Pair) -> str:
    """Return how much more accurate the first method is than the other."""
    if pair.accuracy is None or pair.accuracy.mean is None:
        return "in sizes"
    ends = pair.accuracy.ci95
    return f"{pair.accuracy.mean:+.4f}" + ("" if ends is None else f" ({ends[0]:+.4f} to {ends[1]:+.4f})")


def lines(size: str, found: Gathered) -> list[str]:
    """Return a line of the table for each method that `chord-plus` is compared with."""
    out = []
    for pair in (pair for pair in pairs(found) if pair.other != "retriever"):
        mine, other = pair.method, pair.other
        cells = [pair.words, kilobytes(found, mine), kilobytes(found, other), joules(found, mine), joules(found, other), accuracy(pair)]
        out.append(f"| {size} | `{other}` | {' | '.join(cells)} |")
    return out


def main() -> None:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", default=["small", "medium", "wide"])
    parser.add_argument("--trained", nargs="*", default=[], help="sizes whose models are trained and rank")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as of chordsim run")
    given = parser.parse_args()
    if strange := sorted({*given.trained} - {*given.sizes}):
        parser.error(f"--trained {strange[0]}: is not among --sizes {' '.join(given.sizes)}")
    print(f"| {' | '.join(HEADS)} |\n| --- | --- | --- | ---: | ---: | ---: | ---: | --- |")
    for size in given.sizes:
        trained = size in given.trained
        how = [f"training.max_steps={given.steps}"] if trained else ["protocol.metrics=none"]
        folder = given.out / f"{size}-{given.steps if trained else 'sizes'}"
        run = played(folder, "re-ranking", given.seed, [f"backbone.size={size}", *how, *given.overrides])
        print("\n".join(lines(size, gather(run.path))), flush=True)


if __name__ == "__main__":
    raise SystemExit(ended(main))
