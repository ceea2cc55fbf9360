"""What the referee takes from a method's code on the cloud's side: of the right shape, possible, and in time."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any, TypeVar

import numpy as np

from chordsim.arrays import Codes, Ints
from chordsim.errors import MethodError
from chordsim.methods import BINDINGS, INVALID, CloudTurn
from chordsim.ragged import Ragged
from chordsim.threads import Crew

T = TypeVar("T")
#: No message is longer and no phone costs the cloud more operations; sums over a fleet stay far from overflow.
_MOST = 2**50


def sound(turn: CloudTurn, rows: int) -> CloudTurn:
    """Return a cloud half's answer to one chunk.

    Raises:
        TypeError, ValueError: It is no answer to so many phones, or one that cannot be.
    """
    if not isinstance(turn, CloudTurn) or not isinstance(turn.outbox, Ragged) or len(turn.outbox) != rows:
        raise TypeError(f"no CloudTurn with {rows} messages")
    whole_numbers(turn.macs, rows, "macs")
    codes(turn.refusal, rows, "refusals")
    codes(turn.binding, rows, "bindings")
    return turn


def whole_numbers(values: Any, rows: int, what: str) -> Ints:
    """Return whole numbers from 0 on, one for each of so many phones; raises as `sound` does."""
    found = np.asarray(values)
    if found.shape != (rows,) or found.dtype.kind not in "iu":
        raise TypeError(f"{what}: {rows} whole numbers expected, found {found.dtype} of shape {found.shape}")
    if found.size and not 0 <= int(found.min()) <= int(found.max()) <= _MOST:
        raise ValueError(f"{what}: from 0 to 2^50 expected, found {int(found.min())} to {int(found.max())}")
    return found.astype(np.int64, copy=False)


def codes(values: Any, rows: int, what: str) -> Codes:
    """Return codes into `BINDINGS`, one for each of so many phones; raises as `sound` does."""
    found = whole_numbers(values, rows, what)
    if not ((found < len(BINDINGS)) | (found == INVALID)).all():
        raise ValueError(f"{what}: codes below {len(BINDINGS)} expected, found {int(found.max())}")
    return found.astype(np.uint8)


def within(coming: Future[T], limit_s: float, threads: Executor, method: str, where: str) -> T:
    """Return what a thread computes for a method.

    Raises:
        MethodError: It takes longer than the limit; the thread, which nothing can stop, is left behind.
    """
    try:
        return coming.result(limit_s)
    except TimeoutError as error:
        if coming.done():
            raise
        if isinstance(threads, Crew):
            threads.abandon()
        raise MethodError(f"method {method}, {where}: no answer within {limit_s:g} s (engine.timeout_s)") from error
