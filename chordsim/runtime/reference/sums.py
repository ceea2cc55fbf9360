"""Sums of rows in float32, in the order in which torch adds on a processor: eight lanes, four of them at a time.

Other orders give other last bits, and a threshold or a scale that moves in its last bit can move a level.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Single = npt.NDArray[np.float32]

_LANES, _APART = 8, 4
#: Longer rows are added in more than one level of partial sums, which nothing here needs.
LONGEST = 16 * _LANES * _APART


def row_sums(rows: Single) -> Single:
    """Return the sum of each row, [C, K] to [C, 1], as `torch.sum(rows, -1, keepdim=True)`.

    Raises:
        ValueError: Rows of more than 512 numbers.
    """
    count, length = rows.shape
    if length > LONGEST:
        raise ValueError(f"rows of {length} numbers: torch adds more than {LONGEST} in another order")
    if length < _LANES:
        return _apart(rows[:, :, None])[:, 0].reshape(count, 1)
    whole = length // _LANES
    lanes = _apart(rows[:, : whole * _LANES].reshape(count, whole, _LANES))
    total = np.zeros(count, np.float32)
    for column in (*rows[:, whole * _LANES :].T, *lanes.T):
        total = total + column
    return total.reshape(count, 1)


def _apart(steps: Single) -> Single:
    """Return sums over the middle of [C, n, lanes]: four running sums side by side, then one after another."""
    count, length, lanes = steps.shape
    partial = np.zeros((count, _APART, lanes), np.float32)
    even = length // _APART * _APART
    for start in range(0, even, _APART):
        partial = partial + steps[:, start : start + _APART]
    first = partial[:, 0]
    for place in range(even, length):
        first = first + steps[:, place]
    for other in range(1, _APART):
        first = first + partial[:, other]
    return np.asarray(first)
