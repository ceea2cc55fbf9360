"""The reproduction suite's commands: play pieces, write raw tables from their runs, write the page from the tables.

python -m benchmarks.reproduction run [--only GROUP[/PIECE]] [--seed N] [--missing] [--runs FOLDER] [--tables FOLDER]
python -m benchmarks.reproduction tables [--runs FOLDER] [--tables FOLDER]
python -m benchmarks.reproduction page [--tables FOLDER] [--docs FOLDER]
python -m benchmarks.reproduction phones [--method NAME] [--scenario NAME] [--seed N] [--tables FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.parser import parser_of
from benchmarks.reproduction.families import FAMILIES
from benchmarks.reproduction.suite import SUITE
from benchmarks.suites import command_line

ROOT = Path(__file__).parents[2]
RUNS, TABLES, DOCS = Path("runs") / "reproduction", ROOT / "benchmarks" / "results" / "reproduction", ROOT / "docs"


def main(arguments: list[str]) -> int:
    """Do what a command says; return 1 if a piece failed, 2 for what cannot be done."""
    return command_line.guarded(_parser(), arguments)


def _run(given: argparse.Namespace) -> int:
    return command_line.play(given, SUITE)


def _tables(given: argparse.Namespace) -> int:
    return command_line.tables(given, SUITE, FAMILIES)


def _page(given: argparse.Namespace) -> int:
    from benchmarks.reproduction.document import page

    (given.docs / "reproduction.md").write_text(page(given.tables))
    print(f"page: {given.docs / 'reproduction.md'}")
    return 0


def _phones(given: argparse.Namespace) -> int:
    from benchmarks.reproduction.on_phone import RATES, write
    from chordsim.terminal import Terminal

    for method in (given.method,) if given.method else RATES:
        with Terminal() as progress:
            print(*write(given.scenario, method, (), given.seed, given.tables, progress), sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(__doc__, __file__)
    made = parser.add_subparsers(required=True)
    command_line.add(made, (_run, _tables, _page), (RUNS, TABLES, DOCS), "reproduction.md")
    phones = made.add_parser("phones", help="try steps and rates of training on the phone, by validation")
    phones.set_defaults(does=_phones)
    phones.add_argument("--method", choices=("finetune", "dccl"), help="one of these; without, both")
    phones.add_argument("--scenario", default="repro-ml-100k", help="a shipped name or a path")
    phones.add_argument("--seed", type=int, default=1, help="of the reference and the users that choose")
    phones.add_argument("--tables", type=Path, default=TABLES, help="where the CSV tables are")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
