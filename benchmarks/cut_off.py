"""How a benchmark that is cut off ends: as `chordsim` does, in one line, which says what was cut off and how to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable

from chordsim.signals import INTERRUPTED, as_interrupts


def ended(command: Callable[[], int | None], stays: str = "give the same command again") -> int:
    """Give a command; Ctrl-C, SIGTERM and SIGHUP end it in a line on stderr.

    Args:
        command: Returns its exit code, or nothing where there is but one. Whoever knows what it was at raises a `KeyboardInterrupt`
            whose text says that and what stays.
        stays: What to say where nobody does: what is left, and how to go on.

    Returns:
        The command's exit code, or `chordsim.signals.INTERRUPTED`.
    """
    try:
        with as_interrupts():
            return command() or 0
    except KeyboardInterrupt as cut:
        print(f"interrupted {cut}" if str(cut) else f"interrupted; {stays}", file=sys.stderr)
        return INTERRUPTED
