"""The order of a log: by user, then time, then place in the file; in parts that fit a processor's cache, since logs are long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Floats, Ints

_Codes = npt.NDArray[np.signedinteger[Any]]

#: Users are first laid into so many buckets, by a sort of 16-bit numbers, which takes time in proportion to the rows.
_BUCKET_BITS = 16
#: Rows that are then sorted together.
_PART = 1 << 16
_KEY_BITS = 63
_THREADS = 2


def by_user_and_time(users: _Codes, times: Floats | Ints | None) -> Ints:
    """Return the rows in order; equal ones keep the order of the file.

    The same as ``np.lexsort((times, users))``, some four times faster on 10^7 rows.

    Args:
        users: From 0, shape [N].
        times: Shape [N], no NaN; or None where the place in the file is the time.
    """
    if not users.size:
        return np.zeros(0, np.int64)
    shift = max(int(users.max()).bit_length() - _BUCKET_BITS, 0)
    bucket = (users >> shift).astype(np.uint16)
    order = np.argsort(bucket, kind="stable")
    if times is None and not shift:
        return order

    def sort(start: int, end: int) -> None:
        rows = order[start:end]
        order[start:end] = rows.take(_sorted(users.take(rows), None if times is None else times.take(rows)))

    parts = _parts(np.cumsum(np.bincount(bucket)))
    # Parts are each other's strangers, and NumPy takes and sorts outside Python's lock.
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="order") as pool:
        for done in [pool.submit(sort, start, end) for start, end in parts]:
            done.result()
    return order


def _parts(ends: Ints) -> list[tuple[int, int]]:
    """Cut rows into parts of about `_PART` that keep every bucket whole; ``ends`` is where each bucket ends."""
    cuts = np.unique(ends[np.searchsorted(ends, np.arange(_PART, ends[-1] + _PART, _PART).clip(max=ends[-1]))])
    return list(zip([0, *cuts[:-1].tolist()], cuts.tolist(), strict=True))


def _sorted(users: _Codes, times: Floats | Ints | None) -> Ints:
    """Return the order of a part: by one sort of user, time and place packed into a whole number, where they fit."""
    keys = [users.astype(np.int64) - int(users.min())]
    if times is not None:
        passed = times - times.min()
        whole = passed.astype(np.int64) if float(passed.max()) < 2.0**53 else np.full(passed.size, -1, np.int64)
        if not bool(np.all(whole == passed)):
            return np.lexsort((times, users))
        keys.append(whole)
    packed, bits = np.zeros(users.size, np.int64), 0
    for key in [*keys, np.arange(users.size)]:
        width = int(key.max()).bit_length()
        bits += width
        if bits > _KEY_BITS:
            return np.lexsort((users,) if times is None else (times, users))
        packed = (packed << width) | key
    packed.sort()
    return packed & ((1 << width) - 1)
