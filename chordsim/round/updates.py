"""What the cloud learns from phones that may lie: no update leads further than honest steps could, and none unseen."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Floats, State

#: Where a method that learns counts what it did not take as it came; nobody counts outside of a round.
_HEARD: ContextVar[Counter[str] | None] = ContextVar("what learning sets aside", default=None)


@contextlib.contextmanager
def counting(found: Counter[str]) -> Iterator[None]:
    """Let `note` inside this block count in ``found``."""
    token = _HEARD.set(found)
    try:
        yield
    finally:
        _HEARD.reset(token)


def note(what: str, who: Bools) -> None:
    """Count phones whose updates a method that learns did not take as they came, [D]."""
    found = _HEARD.get()
    if found is not None:
        found[what] += int(np.count_nonzero(who))


def finite(state: State) -> bool:
    """Return whether a learnt state holds nothing but numbers."""
    return all(bool(value.isfinite().all()) for value in state.values() if value.is_floating_point())


def clipped(values: Floats, limit: float) -> tuple[Floats, Bools]:
    """Return updates no longer than ``limit`` and which were longer.

    Args:
        values: One update a row, [D, n], as differences from what the cloud sent out.
        limit: Longest Euclidean norm that one phone's update may have.

    Returns:
        Rows scaled down to the limit where they were longer, zero where a number is not finite; and which rows
        were changed, [D].
    """
    finite: Bools = np.asarray(np.isfinite(values).all(axis=1))
    safe = np.where(finite[:, None], values, 0.0)
    # Scaled first: the square of a large float overflows.
    peak = np.maximum(np.abs(safe).max(axis=1, initial=0.0), np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        norm = peak * np.sqrt(np.square(safe / peak[:, None]).sum(axis=1))
    factor = np.divide(limit, norm, out=np.ones_like(norm), where=norm > limit)
    return safe * factor[:, None], np.asarray(~finite | (factor < 1.0))


def bounded(
    values: npt.NDArray[np.floating[Any]], centre: npt.NDArray[np.floating[Any]], reach: float, heard: Bools | None = None
) -> npt.NDArray[np.float64]:
    """Return what phones made of shared numbers, none further away than honest steps can lead.

    Those that are pulled back are counted with what the round set aside.

    Args:
        values: What each phone sent, [D, n].
        centre: What all of them started from, [n].
        reach: The longest way that a phone's steps can take it: number of steps x rate x largest gradient.
        heard: Rows that are taken in, [D]; the others are nobody's and not counted. None for all.

    Returns:
        [D, n]; a row within reach keeps its bits.
    """
    start = centre.astype(np.float64)
    # Sums in float32 on the phone may stray a little further than the arithmetic says.
    moved, changed = clipped(values.astype(np.float64) - start, reach * 1.01)
    note("updates pulled back", changed if heard is None else changed & heard)
    return np.where(changed[:, None], start + moved, values)
