"""How a benchmark ends that is cut off or cannot be done: as `chordsim` does, in one line on stderr."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from chordsim.errors import ChordsimError, one_line
from chordsim.signals import INTERRUPTED, as_interrupts

#: The exit code where nothing was measured; 1 is a measurement that did not hold.
UNDONE = 2


def ended(command: Callable[[], int | None], stays: str = "give the same command again") -> int:
    """Give a command; Ctrl-C, SIGTERM and SIGHUP, and what it is not able to do, end it in a line on stderr.

    Args:
        command: Returns its exit code, or nothing where there is but one. Whoever knows what it was at raises a `KeyboardInterrupt`
            whose text says that and what stays.
        stays: What to say where nobody does: what is left, and how to go on.

    Returns:
        The command's exit code, `UNDONE` where data, a run, a program or a package was not there or not fit, or
        `chordsim.signals.INTERRUPTED`.
    """
    try:
        with as_interrupts():
            return command() or 0
    except KeyboardInterrupt as cut:
        print(f"interrupted {cut}" if str(cut) else f"interrupted; {stays}", file=sys.stderr)
        return INTERRUPTED
    except ModuleNotFoundError as error:
        why = f"{error.name} is not installed"
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else one_line(error)
    except (ChordsimError, subprocess.SubprocessError) as error:
        why = one_line(error)
    print(f"error: {why}", file=sys.stderr)
    return UNDONE
