"""Whose fault it was: whatever a half or a spec raises becomes one line that names method, side, leg and round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chordsim.errors import RAISED, ChordsimError, MethodError, typed_line


@contextmanager
def blamed(method: str, where: str, *, all_errors: bool = False) -> Iterator[None]:
    """Turn what a method's code raises in the block into an error that says so; chordsim's own errors pass as they are.

    Args:
        method: Its name.
        where: Side, and leg and round where there are some, such as "cloud half, leg down prescription, round 3".
        all_errors: Chordsim's own errors are the method's fault here too.

    Raises:
        MethodError: The code raised, or tried to end the process.
    """
    try:
        yield
    except RAISED as error:
        if isinstance(error, MethodError) or (isinstance(error, ChordsimError) and not all_errors):
            raise
        raise MethodError(f"method {method}, {where}: {typed_line(error)}") from error
