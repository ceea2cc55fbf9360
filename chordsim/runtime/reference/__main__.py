"""`python -m chordsim.runtime.reference [FILE]`: play test vectors with numpy alone and say which steps agree."""

from __future__ import annotations

import sys
from pathlib import Path

from chordsim.errors import DataError
from chordsim.runtime.reference.vectors import SHIPPED, differences


def main(arguments: list[str]) -> int:
    """Check a file of vectors, by default the shipped one; return the exit code."""
    path = Path(arguments[0]) if arguments else SHIPPED
    try:
        count, found = differences(path)
    except DataError as error:
        print(f"chordsim: error: {error}", file=sys.stderr)
        return error.exit_code
    for line in found:
        print(line)
    print(f"{count} vectors, {len(found)} steps differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
