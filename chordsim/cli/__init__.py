"""The command line. This package imports nothing heavy: `chordsim --help` answers at once."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for a failed run, 2 for a user's mistake, 130 for Ctrl-C.

    Args:
        argv: Arguments without the program's name; None takes them from the process.
    """
    from chordsim.cli.guard import guarded

    return guarded(argv)
