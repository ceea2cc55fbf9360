"""The personal plans' commands: play arms, write raw tables from their runs, write the page from the tables.

python -m benchmarks.personal_plans run [--only EXPERIMENT[/ARM]] [--seed N] [--missing] [--runs FOLDER] [--tables FOLDER]
python -m benchmarks.personal_plans tables [--runs FOLDER] [--tables FOLDER]
python -m benchmarks.personal_plans page [--tables FOLDER] [--docs FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.parser import parser_of
from benchmarks.personal_plans.experiments import EXPERIMENTS
from benchmarks.suites import command_line
from benchmarks.suites.agenda import Group
from benchmarks.suites.sheets import ACCURACY

ROOT = Path(__file__).parents[2]
RUNS, TABLES, DOCS = Path("runs") / "personal-plans", ROOT / "benchmarks" / "results" / "personal_plans", ROOT / "docs"


def main(arguments: list[str]) -> int:
    """Do what a command says; return 1 if an arm failed, 2 for what cannot be done."""
    return command_line.guarded(_parser(), arguments)


def _suite(tables: Path) -> tuple[Group, ...]:
    """Return what is played, with the seeds of rivals that the tables' validation has chosen."""
    from benchmarks.personal_plans.judging import suite
    from benchmarks.suites.figures import Book

    return suite(Book.read(tables) if (tables / ACCURACY).exists() else None, EXPERIMENTS)


def _run(given: argparse.Namespace) -> int:
    return command_line.play(given, _suite(given.tables))


def _tables(given: argparse.Namespace) -> int:
    from benchmarks.personal_plans.by_length import write

    families = {experiment.name: experiment.family() for experiment in EXPERIMENTS}
    before = _suite(given.tables)
    command_line.tables(given, before, families)
    # What is measured now may have chosen a rival, whose other seeds are asked for from here on.
    after = _suite(given.tables)
    if after != before:
        command_line.tables(given, after, families)
    print(*write(given.runs, given.tables, after, EXPERIMENTS), sep="\n")
    return 0


def _page(given: argparse.Namespace) -> int:
    from benchmarks.personal_plans.document import write

    print(*(f"written: {path}" for path in write(given.tables, given.docs, EXPERIMENTS)), sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(__doc__, __file__)
    command_line.add(parser.add_subparsers(required=True), (_run, _tables, _page), (RUNS, TABLES, DOCS), "personal-plans.md")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
