"""The command: plays the same small scenarios on two checkouts, side by side, and prints one line for each.

    git worktree add ../before HEAD~1
    python -m benchmarks.same_ledgers ../before [--only NAME ...] [--keep FILE.json] [--new-set clock.count_report=true]

The new side is the checkout that this file lies in; both run on this Python, with the packages it has. Each side gets a folder of
its own with its entry points and an empty cache of trained models, so whatever moves a number is seen. Where one side has columns
that the other has not, those that both have are compared. Exit code 1 if any ledger differs or any scenario fails.
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from benchmarks.same_ledgers.checkout import Checkout
from benchmarks.same_ledgers.kept import Kept
from benchmarks.same_ledgers.process import Answer, Process
from benchmarks.same_ledgers.scenarios import Scenario, Tables, merged, scenarios
from benchmarks.same_ledgers.verdict import verdict

ROOT = Path(__file__).resolve().parents[2]
SIDES = ("old", "new")


def main(arguments: list[str]) -> int:
    """Compare, print, and return the exit code."""
    known = {scenario.name: scenario for scenario in scenarios()}
    given = _parser(list(known)).parse_args(arguments)
    chosen = [known[name] for name in given.only or known]
    old, new = Checkout(given.old.resolve()), Checkout(given.new.resolve())
    added = [name for name in new.methods if name not in old.methods]
    if added:
        print(f"not compared, since old has no such method: {', '.join(added)}")
    kept = Kept(given.keep, old.commit)
    if given.keep is not None and not old.commit:
        print(f"{old.path}: nothing is kept: not a git checkout, or one with changes that are in no commit")
    began = time.monotonic()
    parted = compare(old, new, chosen, kept, _tables(given.new_set))
    print(f"{len(chosen) - parted} of {len(chosen)} scenarios gave the same ledger; {time.monotonic() - began:.0f} s")
    return int(parted > 0)


def compare(old: Checkout, new: Checkout, chosen: list[Scenario], kept: Kept, restoring: Tables | None = None) -> int:
    """Play what is not kept on both sides at once, print each verdict when both are there, and return how many are not the same.

    Args:
        old: One side.
        new: The other.
        chosen: What is played.
        kept: Answers of the old side.
        restoring: Keys that the new side alone is given, over its own.
    """
    names = old.methods
    answers: dict[str, dict[str, Answer]] = {side: {} for side in SIDES}
    answers["old"] = {scenario.name: found for scenario in chosen if (found := kept.get(scenario, names)) is not None}
    arrivals: queue.Queue[tuple[str, Answer]] = queue.Queue()
    parted, waiting = 0, list(chosen)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="same-ledgers-", ignore_cleanup_errors=True))
        for side, checkout in zip(SIDES, (old, new), strict=True):
            left = [scenario for scenario in chosen if scenario.name not in answers[side]]
            if left:
                place = Path(folder) / side
                place.mkdir()
                played = [scenario.over(restoring or {}) for scenario in left] if side == "new" else left
                process = stack.enter_context(Process(checkout, played, names, place))
                Thread(target=_hand_over, args=(side, process, left, arrivals), daemon=True).start()
        while waiting:
            name = waiting[0].name
            if not all(name in answers[side] for side in SIDES):
                side, answer = arrivals.get()
                answers[side][answer["name"]] = answer
                continue
            kept.put(waiting.pop(0), names, answers["old"][name])
            result = verdict(name, answers["old"][name], answers["new"][name])
            print("\n".join(result.lines), flush=True)
            parted += not result.same
    return parted


def _tables(texts: list[str]) -> Tables:
    """Return keys given as TOML texts ``table.key=value`` as tables."""
    out: Tables = {}
    for text in texts:
        try:
            out = merged(out, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SystemExit(f"--new-set {text}: not a TOML assignment: {error}") from None
    return out


def _hand_over(side: str, process: Process, left: list[Scenario], arrivals: queue.Queue[tuple[str, Answer]]) -> None:
    """Pass on the answers of one side; where it ends early, the reason is the answer to all that is missing."""
    missing = [scenario.name for scenario in left]
    why = "the player gave no answer"
    try:
        for answer in process.answers():
            missing.remove(answer["name"])
            arrivals.put((side, answer))
    except Exception as error:  # in a thread: told in each line that now has no answer
        why = str(error)
    for name in missing:
        arrivals.put((side, {"name": name, "error": why}))


def _parser(names: list[str]) -> argparse.ArgumentParser:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("old", type=Path, metavar="OLD_CHECKOUT", help="a checkout of the version to compare with")
    parser.add_argument("--new", type=Path, default=ROOT, metavar="CHECKOUT", help="the other one (this file's)")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}; may be repeated")
    parser.add_argument(
        "--new-set", action="append", default=[], metavar="KEY=VALUE", help="a key that the new side alone is given; may be repeated"
    )
    parser.add_argument("--keep", type=Path, metavar="FILE.json", help="keep the old side's answers there, by its commit")
    return parser


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:]), "what stands in the file of --keep is not played again"))
