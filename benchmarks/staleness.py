"""What a model that grows old costs in accuracy: ten rounds, and a cloud that trains again every k of them on what it has seen by then.

    python -m benchmarks.staleness --out DIR [--rounds N] [--every K ...] [--steps N] [--scenario NAME] [--set KEY=VALUE ...]

A run with `rounds.count = R` holds out each user's last R items, so a cloud that trains again before round b + 1 of N is that of a run with
R = N - b: its training and its lists read nothing from round b + 1 on. For each k the rounds of such runs are put together: rounds
1 to k from the first, the next k from a run with k rounds fewer, and so on. Every phone is served, so what differs is the age of the
model (and of the cloud's lists: `retriever` shows what those alone do). Prints NDCG@10 by method and k, and the difference to a model that
is never trained again, paired by user, with its 95 % interval. Runs stay in DIR and are not played again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.communication import ROOMY
from benchmarks.cut_off import ended
from benchmarks.kept_runs import by_user, played
from benchmarks.parser import parser_of, positive
from chordsim.statistics.differences import paired

METHODS = ("retriever", "fp32", "chord-plus")
COLUMNS = ["method", "round", "user_id", "ndcg_10_all"]


def begins(rounds: int, every: int) -> list[int]:
    """Return how many rounds are past when each version of the model is trained; the first before all."""
    return list(range(0, rounds, every)) if every else [0]


def put_together(ledgers: dict[int, pd.DataFrame], rounds: int, every: int) -> pd.DataFrame:
    """Return the rows that phones whose model is renewed every so many rounds have, from ledgers by rounds that are past."""
    parts = []
    for past in begins(rounds, every):
        own = ledgers[past][ledgers[past]["round"] <= (every or rounds)]
        parts.append(own.assign(round=own["round"] + past))
    out = pd.concat(parts)
    assert sorted(out["round"].unique()) == list(range(1, rounds + 1))
    return out


def lines(ledgers: dict[int, pd.DataFrame], rounds: int, every: Sequence[int], seed: int, methods: Sequence[str] = METHODS) -> list[str]:
    """Return the table; 0 in ``every``, never, is what the others are compared with."""
    users = 1 + max(int(ledger.user_id.max()) for ledger in ledgers.values())
    out = ["| method | trained again | NDCG@10 | minus never | 95 % interval |", "| --- | --- | ---: | ---: | ---: |"]
    for method in methods:
        own = {past: ledger[ledger.method == method] for past, ledger in ledgers.items()}
        values = {k: by_user(put_together(own, rounds, k), users) for k in (0, *(k for k in every if k))}
        told = paired({str(k): (values[k], values[0]) for k in values if k}, seed)
        for k, means in values.items():
            against = "| – | –"
            if k:
                difference, ends = told[str(k)].mean, told[str(k)].ci95
                against = f"| {difference:+.4f} | {'–' if ends is None else f'{ends[0]:+.4f} to {ends[1]:+.4f}'}"
            out.append(f"| `{method}` | {f'every {k} rounds' if k else 'never'} | {np.nanmean(means):.4f} {against} |")
    return out


def main() -> None:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", default="quickstart")
    parser.add_argument("--rounds", type=positive, default=10)
    parser.add_argument("--every", type=int, nargs="+", default=[0, 5, 1])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as of chordsim run")
    given = parser.parse_args()
    if min(given.every) < 0:
        parser.error("--every takes 0 (never) or a number of rounds")
    listed = f"methods={given.methods!r}".replace("'", '"')
    chosen = [*ROOMY, "population.devices=0", f"training.max_steps={given.steps}", listed, *given.overrides]
    ledgers: dict[int, pd.DataFrame] = {}
    for past in sorted({past for k in given.every for past in begins(given.rounds, k)}):
        count = given.rounds - past
        run = played(given.out / f"rounds-{count}", given.scenario, given.seed, [*chosen, f"rounds.count={count}"])
        ledgers[past] = run.ledger[COLUMNS].astype({"method": str})
    print(f"{given.scenario}, seed {given.seed}, {given.rounds} rounds, at most {given.steps} steps a training\n")
    print("\n".join(lines(ledgers, given.rounds, given.every, given.seed, given.methods)))


if __name__ == "__main__":
    raise SystemExit(ended(main))
