"""The errors that a person sees: one line each, with the exit code that the command line gives back."""

from __future__ import annotations


def one_line(error: BaseException, longest: int | None = None) -> str:
    """Return what an error of somebody else's code says, in one line, or its type where it says nothing.

    Args:
        error: The error.
        longest: Characters of the line at most.
    """
    return " ".join(str(error).split())[:longest] or type(error).__name__


#: What code of others raises; an interrupt of the person's is not theirs.
RAISED = (Exception, SystemExit)


def typed_line(error: BaseException) -> str:
    """Return what kind of error somebody else's code raised, and what it says, in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


class ChordsimError(Exception):
    """Base of every error that chordsim raises on purpose; its text is one line for a person."""

    exit_code = 1


class NotWhole(RuntimeWarning):
    """A run ended that is not whole: it lost cells or a method, or ranked for nobody. Its manifest says why."""


class UserError(ChordsimError):
    """A mistake in what the user gave (a key, a file, a flag): exit code 2."""

    exit_code = 2


class ScenarioError(UserError):
    """A scenario that does not validate: names the file, the key and what would be right."""


class DataError(UserError):
    """A data file that is missing, truncated, malformed or empty."""


class RunError(ChordsimError):
    """A run that began and could not finish: exit code 1."""


class StopRun(RunError):
    """A callback has seen enough: the run ends after what it has finished, and can be resumed."""


class MethodError(RunError):
    """A method's own code raised, gave something impossible, or took too long; the text names method, side, leg and round."""


class InvariantError(RunError):
    """The ledger contradicts itself or what the engine moved: a bug, never a user's mistake."""


class WireError(ChordsimError):
    """A message that cannot be decoded. Subclasses in `chordsim.wire` say why."""
