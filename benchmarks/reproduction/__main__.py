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

from benchmarks.reproduction.families import FAMILIES
from benchmarks.reproduction.suite import SUITE
from chordsim.errors import ChordsimError

ROOT = Path(__file__).parents[2]
RUNS, TABLES, DOCS = Path("runs") / "reproduction", ROOT / "benchmarks" / "results" / "reproduction", ROOT / "docs"


def main(arguments: list[str]) -> int:
    """Do what a command says; return 1 if a piece failed, 2 for what cannot be done."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.does(given))
    except (ChordsimError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(given: argparse.Namespace) -> int:
    from benchmarks.reproduction.kept import Kept
    from benchmarks.reproduction.play import play_all

    measured = Kept.read(given.tables, SUITE).cells if given.missing else ()
    played, failed = play_all(SUITE, given.only, given.runs, given.seed, measured)
    print(*failed, f"{played} played, {len(failed)} failed; runs in {given.runs}", sep="\n")
    return min(len(failed), 1)


def _tables(given: argparse.Namespace) -> int:
    from benchmarks.reproduction.raw_tables import write

    print(*write(given.runs, given.tables, SUITE, FAMILIES), f"tables in {given.tables}", sep="\n")
    return 0


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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproduction", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, does, about in (
        ("run", _run, "play what is not complete, and go on with what was cut off"),
        ("tables", _tables, "write the CSV tables from complete runs; what was measured elsewhere stays"),
        ("page", _page, "write docs/reproduction.md from the CSV tables"),
        ("phones", _phones, "try steps and rates of training on the phone, by validation"),
    ):
        command = commands.add_parser(name, help=about)
        command.set_defaults(does=does)
        if name in ("run", "tables"):
            command.add_argument("--runs", type=Path, default=RUNS, help="where run directories are")
        command.add_argument("--tables", type=Path, default=TABLES, help="where the CSV tables are")
    commands.choices["run"].add_argument("--only", metavar="GROUP[/PIECE]", help="one group, or one piece of it")
    commands.choices["run"].add_argument("--seed", type=int, help="one seed of what is played")
    commands.choices["run"].add_argument("--missing", action="store_true", help="leave out what the tables have already")
    commands.choices["phones"].add_argument("--method", choices=("finetune", "dccl"), help="one of these; without, both")
    commands.choices["phones"].add_argument("--scenario", default="repro-ml-100k", help="a shipped name or a path")
    commands.choices["phones"].add_argument("--seed", type=int, default=1, help="of the reference and the users that choose")
    commands.choices["page"].add_argument("--docs", type=Path, default=DOCS, help="where the page goes")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
