"""Quantiles of a stream: exact up to five million values, within one percent beyond, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chordsim.arrays import Bools, Floats, Ints

#: Values kept as they are; above it they are counted into bins.
EXACT_LIMIT = 5_000_000
_LOW, _HIGH, _STEP = 1e-6, 1e9, np.log(1.01)
_BINS = int(np.ceil(np.log(_HIGH / _LOW) / _STEP))


class Quantiles:
    """Quantiles of non-negative numbers, of all and by group."""

    def __init__(self, groups: int, exact_limit: int = EXACT_LIMIT) -> None:
        self._groups = groups
        self._limit = exact_limit
        self._values: list[Floats] = []
        self._owners: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self._size = 0
        self._bins: Ints | None = None  # [groups, bins + 1]; the first bin holds what is below _LOW

    @property
    def method(self) -> str:
        """How the quantiles are found, for the summary."""
        return "exact" if self._bins is None else "log-histogram-1%"

    def add(self, values: Floats, groups: Ints) -> None:
        """Take in values and the group of each, shape [D]."""
        if self._bins is None and self._size + values.size > self._limit:
            self._bins = np.zeros((self._groups, _BINS + 1), np.int64)
            for old, owners in zip(self._values, self._owners, strict=True):
                self._count(old, owners.astype(np.int64))
            self._values, self._owners = [], []
        if self._bins is None:
            self._values.append(values.astype(np.float64))
            self._owners.append(groups.astype(np.int16))
            self._size += values.size
        else:
            self._count(values, groups)

    def quantiles(self, shares: tuple[float, ...], group: int | Sequence[int] | None = None) -> list[float | None]:
        """Return the quantiles of one group, of some, or of all; None where there are no values."""
        groups = None if group is None else [group] if isinstance(group, int) else list(group)
        if self._bins is not None:
            counts = (self._bins if groups is None else self._bins[groups]).sum(axis=0)
            return [_from_bins(counts, share) for share in shares]
        if not self._values:
            return [None] * len(shares)
        values = np.concatenate(self._values)
        if groups is not None:
            values = values[self._mask(groups)]
        if not values.size:
            return [None] * len(shares)
        return [float(x) for x in np.quantile(values, shares)]

    def _mask(self, groups: Sequence[int]) -> Bools:
        return np.isin(np.concatenate(self._owners), groups)

    def _count(self, values: Floats, groups: Ints) -> None:
        if self._bins is None:
            raise RuntimeError("values are still kept as they are")
        position = np.floor(np.log(np.maximum(values, _LOW) / _LOW) / _STEP).astype(np.int64) + 1
        position = np.where(values < _LOW, 0, np.minimum(position, _BINS))
        self._bins += np.bincount(groups * (_BINS + 1) + position, minlength=self._bins.size).reshape(self._bins.shape)


def _from_bins(counts: Ints, share: float) -> float | None:
    """Return the middle, on the logarithmic scale, of the bin that holds the quantile."""
    total = int(counts.sum())
    if not total:
        return None
    index = int(np.searchsorted(np.cumsum(counts), share * (total - 1), side="right"))
    return 0.0 if index == 0 else float(_LOW * np.exp((index - 0.5) * _STEP))
