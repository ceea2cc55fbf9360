"""What every suite's command line does: play pieces, and write raw tables from their runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.cut_off import ended
from benchmarks.parser import Parser
from benchmarks.suites.agenda import Group

Families = Mapping[str, Sequence[tuple[str, str]]]
Does = Callable[[argparse.Namespace], int]


def guarded(parser: argparse.ArgumentParser, arguments: list[str]) -> int:
    """Do what a command says; return 1 if a piece failed, 2 for what cannot be done, 130 where it was cut off."""
    given = parser.parse_args(arguments)
    return ended(lambda: int(given.does(given)))


def play(given: argparse.Namespace, suite: tuple[Group, ...]) -> int:
    """Play what is asked for and not complete; return 1 if any of it failed."""
    from benchmarks.suites.kept import Kept
    from benchmarks.suites.play import play_all

    measured = Kept.read(given.tables, suite).cells if given.missing else ()
    played, failed = play_all(suite, given.only, given.runs, given.seed, measured)
    print(*failed, f"{played} played, {len(failed)} failed; runs in {given.runs}", sep="\n")
    return min(len(failed), 1)


def tables(given: argparse.Namespace, suite: tuple[Group, ...], families: Families) -> int:
    """Write the raw tables from the complete runs."""
    from benchmarks.suites.raw_tables import write

    print(*write(given.runs, given.tables, suite, families), f"tables in {given.tables}", sep="\n")
    return 0


def add(
    commands: argparse._SubParsersAction[Parser],
    does: tuple[Does, Does, Does],
    where: tuple[Path, Path, Path],
    name: str,
) -> None:
    """Add the three commands of a suite.

    Args:
        commands: Of its parser.
        does: What plays, what writes tables, what writes the page.
        where: Folders of runs, tables and pages, where nothing else is said.
        name: Of the page.
    """
    runs, folder, docs = where
    played = commands.add_parser("run", help="play what is not complete, and go on with what was cut off")
    written = commands.add_parser("tables", help="write the CSV tables from complete runs; what was measured elsewhere stays")
    paged = commands.add_parser("page", help=f"write docs/{name} from the CSV tables")
    for command, what in zip((played, written, paged), does, strict=True):
        command.set_defaults(does=what)
        command.add_argument("--tables", type=Path, default=folder, help="where the CSV tables are")
        if command is not paged:
            command.add_argument("--runs", type=Path, default=runs, help="where run directories are")
    played.add_argument("--only", metavar="GROUP[/PIECE]", help="one group, or one piece of it")
    played.add_argument("--seed", type=int, help="one seed of what is played")
    played.add_argument("--missing", action="store_true", help="leave out what the tables have already")
    paged.add_argument("--docs", type=Path, default=docs, help="where the page goes")
