"""Four of Flower's strategies and `Buffered` on two shipped scenarios: accuracy against bytes, joules and simulated hours, in one table.

Run: python -m benchmarks.flower_apps.table RUNS [TABLE.csv] [PHONES] [ROUNDS]. As many updates are asked for in each run: the
synchronous ones ask all phones in each round, `Buffered` makes five versions where they make one, of a fifth of the phones' updates.
Nobody evaluates on phones; accuracy is that of the global model on the examples of partitions that no phone holds. RUNS is the
folder that the run directories go to, and the page of `chordsim compare`, which shows the same runs in its own table.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, MetricRecord
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, FedProx, Strategy

from benchmarks.cut_off import ended
from benchmarks.flower_apps import small
from benchmarks.markdown import table as markdown_table
from benchmarks.parser import parser_of, positive
from chordsim.cli import main as command_line
from chordsim.flower import Buffered, PhoneCost, PhoneGrid
from chordsim.flower.engines import PhonesInProcess

SCENARIOS = ("weak-links", "one-day-around-the-world")
SPENT = ("mb", "joules", "hours")
FIELDS = ("scenario", "strategy", "updates_used", "accuracy", "best", *SPENT, *(f"{name}_to_goal" for name in SPENT))
#: The accuracy to which bytes, joules and hours are told.
GOAL = 0.75
_COST = PhoneCost(macs_per_example=small.MACS_PER_EXAMPLE, peak_bytes=small.PEAK_BYTES, epochs=small.EPOCHS)


def strategies(phones: int) -> dict[str, Callable[[], Strategy | Buffered]]:
    """Return what is compared, by name."""
    all_train: Any = {"fraction_train": 1.0, "fraction_evaluate": 0.0, "min_train_nodes": 2, "min_available_nodes": 2}
    return {
        "FedAvg": lambda: FedAvg(**all_train),
        "FedProx": lambda: FedProx(proximal_mu=0.1, **all_train),
        "FedAdam": lambda: FedAdam(eta=0.03, eta_l=0.1, **all_train),
        "FedMedian": lambda: FedMedian(**all_train),
        "Buffered": lambda: Buffered(buffer=phones // 5, concurrency=phones),
    }


def play(name: str, scenario: str, out: Path, phones: int, rounds: int) -> list[float]:
    """Run one strategy on one scenario; return the accuracy of the model after each round, that of the first weights first."""
    found: list[float] = []
    held_out = small.everybody(range(100_000, 100_050))

    # Flower's strategies sample nodes with Python's own generator.
    random.seed(1)
    strategy = strategies(phones)[name]()
    with PhonesInProcess(small.app, phones) as nodes, PhoneGrid(nodes, scenario, out, name=name.lower(), cost=_COST) as grid:

        def evaluate(round: int, arrays: ArrayRecord) -> MetricRecord:
            found.append(small.accuracy(arrays, held_out))
            grid.tell(accuracy=found[-1])
            return MetricRecord({"accuracy": found[-1]})

        if isinstance(strategy, Buffered):
            strategy.start(grid, small.arrays_of(), rounds * 5, train_config=small.train_config(), evaluate_fn=evaluate)
        else:
            strategy.start(grid, small.arrays_of(), num_rounds=rounds, train_config=small.train_config(), evaluate_fn=evaluate)
    return found


def line(name: str, scenario: str, out: Path, accuracies: list[float]) -> dict[str, Any]:
    """Return one line of the table, from a run's ledger and its accuracies."""
    from chordsim.ledger.parquet import read_ledger

    ledger = read_ledger(out)
    with (out / "rounds.csv").open(newline="") as file:
        seconds = {int(told["round"]): float(told["round_s"]) for told in csv.DictReader(file)}
    ledger["joules"] = ledger["compute_j"] + ledger["radio_j"]
    ledger["mb"] = (ledger["down_bytes"] + ledger["up_bytes"]) / 1e6
    spent = ledger.groupby("round")[["mb", "joules"]].sum().cumsum()
    # Rounds follow their schedule or one another; hours of work alone are those in which some phone was under way.
    hours = {round: sum(s for n, s in seconds.items() if n <= round) / 3600 for round in seconds}
    reached = next((round for round, value in enumerate(accuracies) if round and value >= GOAL), None)
    at = min(reached, max(hours)) if reached is not None else None
    return {
        "scenario": scenario,
        "strategy": name,
        "updates_used": int((ledger["outcome"] == "served").sum()),
        "accuracy": round(accuracies[-1], 3),
        "best": round(max(accuracies), 3),
        "mb": round(float(spent["mb"].iloc[-1]), 2),
        "joules": round(float(spent["joules"].iloc[-1]), 1),
        "hours": round(hours[max(hours)], 5),
        "mb_to_goal": None if at is None else round(float(spent["mb"].loc[:at].iloc[-1]), 2),
        "joules_to_goal": None if at is None else round(float(spent["joules"].loc[:at].iloc[-1]), 1),
        "hours_to_goal": None if at is None else round(hours[max(n for n in hours if n <= at)], 5),
    }


def markdown(lines: list[dict[str, Any]]) -> str:
    """Return the table as docs/flower.md has it."""
    spent = ("MB", "J", "hours")
    head = ["scenario, strategy", "updates used", "accuracy", *spent, *(f"{unit} to {GOAL:.0%}" for unit in spent)]
    shown = [key for key in FIELDS if key not in ("scenario", "strategy", "best")]
    rows = [
        (f"{told['scenario']}, {told['strategy']}", *("never" if told[key] is None else str(told[key]) for key in shown)) for told in lines
    ]
    return markdown_table(head, rows)


def main(arguments: list[str]) -> None:
    """Run everything, write the table and print it."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("runs", type=Path, metavar="RUNS")
    parser.add_argument("table", type=Path, nargs="?", metavar="TABLE.csv")
    parser.add_argument("phones", type=positive, nargs="?", default=200, metavar="PHONES")
    parser.add_argument("rounds", type=positive, nargs="?", default=20, metavar="ROUNDS")
    given = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)
    lines = []
    for scenario in SCENARIOS:
        for name in strategies(given.phones):
            out = given.runs / f"{scenario}-{name.lower()}"
            lines.append(line(name, scenario, out, play(name, scenario, out, given.phones, given.rounds)))
            print(json.dumps(lines[-1]), flush=True)
    if given.table:
        with open(given.table, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)
    print(markdown(lines))
    # The same runs as anybody compares theirs: the table, and a page beside the runs.
    ran = [str(given.runs / f"{told['scenario']}-{told['strategy'].lower()}") for told in lines]
    command_line(["compare", *ran, "--out", str(given.runs / "compare.html")])


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
