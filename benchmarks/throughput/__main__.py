"""The suite's one command: measure what is not measured yet, print the table.

python -m benchmarks.throughput --out FOLDER [--against CHECKOUT] [--only PIECE ...] [--repetitions N] [--quick] [--table] [--pages]
                                [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from benchmarks.same_ledgers.checkout import Checkout
from benchmarks.throughput import against, machine
from benchmarks.throughput.contest import Contestant, Failed
from benchmarks.throughput.pieces import PIECES, QUICK, Piece, Size
from benchmarks.throughput.results import Results, Writer
from benchmarks.throughput.table import table
from chordsim.errors import UserError


def main(arguments: list[str]) -> int:
    """Measure, print, and return 1 if a case failed.

    Raises:
        UserError: What is to be shown is not there.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.against:
        Checkout(given.against.absolute()).check()
    known = against.pieces(given.against) if given.against else PIECES
    if foreign := [name for name in given.only or () if name not in known]:
        parser.error(f"{foreign[0]}: {'is not one of --against' if given.against else 'needs --against CHECKOUT'}")
    if (given.table or given.pages) and not any(given.out.glob("*.csv")):
        raise UserError(f"{given.out}: nothing was measured there")
    names = given.only or [name for name, piece in known.items() if piece.default]
    failed = 0
    for name in () if given.table or given.pages else names:
        failed += measure(name, known[name], given.out.absolute(), given.cache, QUICK if given.quick else Size(), given.repetitions)
    print(table(Results(given.out), names))
    if given.against:
        print("\n".join(" | ".join(row) for row in against.table(Results(given.out))))
    if given.pages:
        from benchmarks.throughput.pages import write_pages

        write_pages(given.out)
    return min(failed, 1)


def measure(name: str, piece: Piece, folder: Path, cache: Path, size: Size, repetitions: int) -> int:
    """Measure the repetitions of a piece that are not on disk; return how many cases failed."""
    wanted, before = repetitions or piece.repetitions, Results(folder)
    made = piece.cases(size, cache)
    due = {case.name: [n for n in range(min(wanted, case.most or wanted)) if n not in before.done(name, case.name)] for case in made}
    if not any(due.values()):
        print(f"{name}: on disk already", flush=True)
        return 0
    began = time.monotonic()
    print(f"{name}: {piece.title}", flush=True)
    about: dict[str, Any] = {"command": machine.command(), **machine.described(), "cases": {}, "skipped": {}, "failed": {}}
    with ExitStack() as stack:
        ready: dict[str, Contestant] = {}
        for case in made:
            if not due[case.name]:
                continue
            try:
                contestant = stack.enter_context(Contestant(case, cache))
            except Failed as error:
                about["failed"][case.name] = str(error).splitlines()[0]
                print(f"  {error}", flush=True)
                continue
            if contestant.skipped:
                about["skipped"][case.name] = contestant.skipped
                print(f"  {case.name}: skipped: {contestant.skipped}", flush=True)
                continue
            ready[case.name], about["cases"][case.name] = contestant, contestant.about
        for number in range(wanted):
            figures = {}
            for case_name, contestant in list(ready.items()):
                if number not in due[case_name]:
                    continue
                try:
                    figures[case_name] = contestant.turn()
                except Failed as error:
                    about["failed"][case_name] = str(error).splitlines()[0]
                    print(f"  {error}", flush=True)
                    del ready[case_name]
            Writer(folder, name).add(number, figures)
            print(f"  repetition {number + 1} of {wanted}: {time.monotonic() - began:.0f} s", flush=True)
    about["seconds"] = round(time.monotonic() - began, 1)
    _note(folder, name, about)
    return len(about["failed"])


def _note(folder: Path, piece: str, about: dict[str, Any]) -> None:
    path = folder / "runs.json"
    runs = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**runs, piece: about}, indent=1, sort_keys=True) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(__doc__, __file__)
    both = {**PIECES, **against.pieces(Path())}
    every, extra = list(both), ", ".join(name for name, piece in both.items() if not piece.default)
    parser.add_argument("--out", type=Path, required=True, help="where the CSV files go; what is there is not measured again")
    parser.add_argument(
        "--cache", type=Path, default=user_cache_path("chordsim") / "benchmarks", help="where logs, homes and pfl's environment go"
    )
    parser.add_argument("--only", nargs="+", choices=every, metavar="PIECE", help=f"{', '.join(every)}; by default all but {extra}")
    parser.add_argument("--repetitions", type=int, default=0, help="turns of each case, instead of 3 or 5")
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="measure the pieces `against-...` on another checkout as well, in turns"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything works")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what is there")
    parser.add_argument("--pages", action="store_true", help="measure nothing, write docs/performance.md and docs/scale.md")
    return parser


if __name__ == "__main__":
    # Cut off, it ends what it started first: those whose turn it is not stand still, and would do so for ever.
    sys.exit(ended(lambda: main(sys.argv[1:]), "what is in --out is not measured again"))
