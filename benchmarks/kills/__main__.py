"""Kills commands at random moments: `python -m benchmarks.kills [--kills 60] [--only NAME] [--finished FILE]`.

Each command is played unbroken, on made-up data. Then it is killed with SIGKILL at a random moment of that time, given again or
resumed, and what it made is held against the unbroken one: ledger, listing, phones, sums and checksums of a run, bytes of tables, pages,
downloads and trained states. Where a command was over before its kill another moment is drawn, so every kill that is counted met a living
process. The exit code is 0 only if all were equal.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.cut_off import ended
from benchmarks.kept_lines import kept_lines
from benchmarks.kills.killed import LINK_EXITED, Case, cases, status
from benchmarks.kills.process import context
from benchmarks.kills.site import Site
from benchmarks.parser import parser_of, positive
from chordsim.errors import ChordsimError, UserError

#: Of how many kills `Case.kills` tells the parts.
ALL = 60
_DATA_BYTES, _DATA_S = 4 << 20, 3.0
#: How often a moment is drawn anew for a command that was over.
_DRAWS = 6
#: How often a command is given on a machine that is too busy for Ray or Flower to start, and what is said then.
_STARTS, _BUSY = 5, ("Ray does not start on this machine", "Failed to start local SuperLink within", LINK_EXITED)


class NotPlayedError(Exception):
    """A command failed before anybody killed it."""


def main() -> int:
    """Kill, and print the counts."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--kills", type=positive, default=ALL, help="over all commands")
    parser.add_argument("--only", help="one command's name")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--finished", type=Path, help="a file of kills that were compared; this one's are added, and none is done again")
    given = parser.parse_args()
    done = Counter[str]()
    # One that differed is done again.
    done.update(line["command"] for line in kept_lines(given.finished, "command", "differs") if not line["differs"])
    # A short path, for Ray's sockets.
    root, failed = Path(tempfile.mkdtemp(prefix="kills-")), 0
    made = context()
    body = random.Random(given.seed).randbytes(_DATA_BYTES)
    try:
        with Site(body, _DATA_S) as site:
            whole = root / "whole" / "run"
            all_cases = cases(made, whole, site)
            if given.only not in (None, *(names := [case.name for case in all_cases])):
                raise UserError(f"--only {given.only}: no such command; give one of {', '.join(names)}")
            for case in all_cases:
                kills = round(case.kills * given.kills / ALL)
                if given.only not in (None, case.name) or done[case.name] >= kills:
                    continue
                if not whole.exists():
                    _played(all_cases[0], whole.parent)
                try:
                    failed += _case(case, range(done[case.name], kills), given.seed, root, given.finished)
                except NotPlayedError as error:
                    failed += kills - done[case.name]
                    print(error, flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    total = sum(round(case.kills * given.kills / ALL) for case in all_cases if given.only in (None, case.name))
    print(f"{total - failed} of {total} equal to the unbroken one")
    return 1 if failed else 0


def _case(case: Case, numbers: range, seed: int, root: Path, finished: Path | None) -> int:
    """Kill one command some times; return how often it differed."""
    folder = root / f"{case.name.replace(' ', '-')}-unbroken"
    # Once to fill what is cached, once for the time.
    _played(case, folder)
    shutil.rmtree(folder)
    began = time.monotonic()
    want = _played(case, folder)
    took, failed = time.monotonic() - began, 0
    for number in numbers:
        broken = root / f"{case.name.replace(' ', '-')}-{number}"
        draw = random.Random(f"{seed} {case.name} {number}")
        moment = _killed(case, broken, draw, took)
        differs = _differences(want, _ended(case, broken)) if moment else ["it was over before every kill"]
        failed += bool(differs)
        print(f"{case.name:<18} killed after {moment:5.2f} of {took:5.2f} s: {'; '.join(differs) or 'equal'}", flush=True)
        if differs:
            print((broken / "log").read_text()[-2000:], flush=True)
        if finished is not None:
            with open(finished, "a") as file:
                file.write(json.dumps({"command": case.name, "moment_s": moment, "of_s": took, "differs": differs}) + "\n")
        shutil.rmtree(broken)
    shutil.rmtree(folder)
    return failed


def _killed(case: Case, folder: Path, draw: random.Random, took: float) -> float:
    """Kill a command in a fresh folder; return after how many seconds, 0 if it was always over."""
    for _ in range(_DRAWS):
        case.prepare(folder)
        moment = draw.uniform(0.02, 0.98) * took
        if case.begin(folder).killed_after(moment):
            return moment
        shutil.rmtree(folder)
    return 0.0


def _ended(case: Case, folder: Path) -> dict[str, str]:
    """Give the command again; what a person would be told is told."""
    # A run that was whole already has nothing to resume, and says so.
    code = 0 if case.resumed and status(folder) == "complete" else _given(case, folder)
    try:
        return {**case.made(folder), **({"exit code": str(code)} if code else {})}
    except Exception as error:  # a bug is what is looked for
        return {"exit code": str(code), "error": f"{type(error).__name__}: {error}"}


def _played(case: Case, folder: Path) -> dict[str, str]:
    case.prepare(folder)
    code = _given(case, folder)
    try:
        if not code:
            return case.made(folder)
        why = f"exit code {code}"
    except (OSError, ChordsimError) as error:  # `flwr run` exits with 0 whatever happened
        why = str(error)
    raise NotPlayedError(f"{case.name}: {why} without a kill: {(folder / 'log').read_text()[-3000:]}")


def _given(case: Case, folder: Path) -> int:
    """Give a command and wait for its end."""
    for _ in range(_STARTS):
        log = folder / "log"
        before = log.stat().st_size if log.exists() else 0
        code = case.begin(folder).code()
        if not code or not any(words in log.read_text()[before:] for words in _BUSY):
            break
    return code


def _differences(want: dict[str, str], found: dict[str, str]) -> list[str]:
    return [
        f"{name}: {want.get(name)} and {found.get(name)}"
        for name in sorted(want.keys() | found.keys())
        if want.get(name) != found.get(name)
    ]


if __name__ == "__main__":
    sys.exit(ended(main, "kills in the file of --finished are not done again"))
