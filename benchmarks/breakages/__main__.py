"""Tries ten ways to break a run on a checkout: `python -m benchmarks.breakages CHECKOUT [--only NUMBER]`.

Each drives the checkout through its commands, in processes of their own, and prints whether the promise held and what was seen. The
checkout is left as it is; of its environment it needs the packages that this one has. The numbers are those of docs/reliability.md. The
exit code is 0 only if all held.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.breakages import ends, readings, surroundings
from benchmarks.breakages.ground import Ground, Seen
from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from benchmarks.same_ledgers.checkout import Checkout

WAYS: dict[int, tuple[str, Callable[[Ground], Seen]]] = {
    1: ("a lost raylet", ends.lost_raylet),
    2: ("a torn first append", ends.torn_append),
    3: ("killed in mid-run", ends.left_behind),
    4: ("an altered ledger", readings.altered),
    5: ("lowest versions", readings.lowest),
    6: ("a table that is a pipe", surroundings.endless),
    7: ("no pip", surroundings.no_pip),
    8: ("a method of others", surroundings.others),
    9: ("streams and folders", surroundings.streams),
    10: ("many rounds", readings.start_up),
}


def main() -> int:
    """Try, and print what was seen."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("checkout", type=Path, nargs="?", default=Path(__file__).resolve().parents[2])
    parser.add_argument("--only", type=int, choices=WAYS, action="append", help="one way; may be given again")
    given = parser.parse_args()
    checkout = Checkout(given.checkout.resolve())
    checkout.project  # noqa: B018 - is it one?
    print(f"{checkout.path.name} at {checkout.commit[:7] or 'no commit'}", flush=True)
    fell = []
    for number in given.only or WAYS:
        name, way = WAYS[number]
        folder = Path(tempfile.mkdtemp(prefix="break-", dir="/tmp"))
        try:
            with Ground(checkout, folder) as ground:
                seen = way(ground)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not seen.held:
            fell.append(number)
        print(f"{number:>2} {'held' if seen.held else 'FELL'}  {name}: {seen.told}", flush=True)
    print(f"fell: {fell}" if fell else "all held")
    return 1 if fell else 0


if __name__ == "__main__":
    sys.exit(ended(main, "--only NUMBER tries one way alone"))
