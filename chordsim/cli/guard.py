"""The last line of defence: every error becomes one line on stderr and the right exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import click

from chordsim.cli.commands import app
from chordsim.errors import ChordsimError
from chordsim.signals import INTERRUPTED, as_interrupts
from chordsim.streams import forgiving

DEBUG_VARIABLE = "CHORDSIM_DEBUG"
USAGE = 2
_LONGEST = 1200
#: What a machine may be out of at any moment: room on a disk, length of a file, open files.
_SHORT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE}


def guarded(argv: Sequence[str] | None) -> int:
    """Run the app; return its exit code. Tracebacks are for those who set CHORDSIM_DEBUG=1."""
    with forgiving() as faults:
        code = _run(argv)
        sys.stdout.flush()
        if faults.said:  # a command that could not say what it found has not done what was asked
            code = _say(f"error: {faults.said}", code or 1)
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        with as_interrupts():
            code = app(args=None if argv is None else list(argv), prog_name="chordsim", standalone_mode=False)
    except ChordsimError as error:
        return _say(f"error: {error}", error.exit_code)
    except click.ClickException as error:
        where = f" (see {error.ctx.command_path} --help)" if isinstance(error, click.UsageError) and error.ctx else ""
        return _say(f"error: {_once(error.format_message())}{where}", USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _interrupted()
    except BrokenPipeError:
        # A stream that somebody else put in place, whose reader has seen enough.
        return 0
    except OSError as error:
        if error.errno not in _SHORT:
            return _bug(error)
        return _say(f"error: {error.filename or 'a file'}: {error.strerror}: this machine is short of it; make room and run again", 1)
    except MemoryError as error:
        why = f": {error}" if str(error) else ""
        return _say(f"error: MemoryError{why}: this machine's memory is too small for it: play fewer phones, users or items", 1)
    except Exception as error:  # anything else is a bug of ours; the person still gets one line
        return _bug(error)
    if code == INTERRUPTED:  # typer has made this out of a KeyboardInterrupt
        return _interrupted()
    return code if isinstance(code, int) else 0


def _bug(error: Exception) -> int:
    return _say(f"error: {type(error).__name__}: {error} (a bug; {DEBUG_VARIABLE}=1 shows where)", 1)


def _interrupted() -> int:
    return _say("interrupted; what was finished stays readable", INTERRUPTED)


def _once(message: str) -> str:
    """Return the message without a repeated hint: click and typer both add theirs."""
    return ". ".join(dict.fromkeys(part.strip(" .") for part in message.replace("? ", "?. ").split(". ")))


def _say(message: str, code: int) -> int:
    """Print one line without control characters, for messages quote what they found in files."""
    if os.environ.get(DEBUG_VARIABLE) == "1":
        traceback.print_exc()
    line = "".join(c if c.isprintable() else " " for c in " ".join(message.split()))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    print(f"chordsim: {line}", file=sys.stderr)
    return code
