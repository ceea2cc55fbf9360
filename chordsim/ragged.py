"""Rows of bytes of unequal length in one buffer: what crosses the wire for a chunk of devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Bools, Bytes, Ints


@dataclass(frozen=True)
class Ragged:
    """D byte strings laid end to end.

    Attributes:
        data: All bytes, shape [N], uint8.
        offsets: Shape [D + 1], int64, from 0 to N; row d is ``data[offsets[d]:offsets[d + 1]]``.
    """

    data: Bytes
    offsets: Ints

    def __post_init__(self) -> None:
        bad = (
            self.data.dtype != np.uint8
            or self.offsets.dtype != np.int64
            or self.offsets.ndim != 1
            or self.offsets.size == 0
            or self.offsets[0] != 0
            or self.offsets[-1] != self.data.size
            # Compared, not subtracted: a difference of hostile offsets may overflow into a positive one.
            or bool(np.any(self.offsets[1:] < self.offsets[:-1]))
        )
        if bad:
            raise ValueError("ragged offsets do not describe the data")

    @classmethod
    def empty(cls, rows: int) -> Ragged:
        """Return ``rows`` empty rows."""
        return cls(np.zeros(0, np.uint8), np.zeros(rows + 1, np.int64))

    @classmethod
    def of_rows(cls, rows: Iterable[bytes]) -> Ragged:
        """Pack byte strings."""
        parts = list(rows)
        lengths = np.fromiter((len(p) for p in parts), np.int64, len(parts))
        return cls(np.frombuffer(b"".join(parts), np.uint8), _offsets(lengths))

    @classmethod
    def of_matrix(cls, matrix: Bytes, keep: Bools | None = None) -> Ragged:
        """Pack equally long rows [D, n]; rows where ``keep`` is false become empty."""
        rows, width = matrix.shape
        if keep is None:
            return cls(np.ascontiguousarray(matrix).reshape(-1), np.arange(rows + 1, dtype=np.int64) * width)
        return cls(np.ascontiguousarray(matrix[keep]).reshape(-1), _offsets(keep.astype(np.int64) * width))

    @classmethod
    def concat(cls, parts: Sequence[Ragged]) -> Ragged:
        """Return the rows of all parts, in order."""
        if not parts:
            return cls.empty(0)
        lengths = np.concatenate([p.lengths for p in parts])
        return cls(np.concatenate([p.data for p in parts]), _offsets(lengths))

    @property
    def lengths(self) -> Ints:
        """Length of each row in bytes, shape [D]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __getitem__(self, row: int) -> bytes:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self[d] for d in range(len(self)))

    def matrix(self, width: int) -> tuple[Bytes, Bools]:
        """Return rows as a matrix [D, width], zero where the row has another length, and which rows fit."""
        fits = self.lengths == width
        if fits.all():
            return self.data.reshape(len(self), width).copy(), fits
        out = np.zeros((len(self), width), np.uint8)
        starts = self.offsets[:-1][fits]
        if width and starts.size:
            out[fits] = self.data[starts[:, None] + np.arange(width)]
        return out, fits

    def slice(self, start: int, stop: int) -> Ragged:
        """Return rows ``start:stop`` without copying their bytes."""
        cut = self.offsets[start : stop + 1]
        return Ragged(self.data[cut[0] : cut[-1]], cut - cut[0])

    def keep(self, mask: Bools) -> Ragged:
        """Return the same rows with those where ``mask`` is false made empty."""
        if bool(np.all(mask | (self.lengths == 0))):
            return self
        return self.truncate(np.where(mask, self.lengths, 0))

    def truncate(self, lengths: Ints) -> Ragged:
        """Return every row cut to at most ``lengths`` bytes [D]."""
        kept = np.minimum(self.lengths, lengths)
        if bool(np.all(kept == self.lengths)):
            return self
        position = np.arange(self.data.size) - np.repeat(self.offsets[:-1], self.lengths)
        return Ragged(self.data[position < np.repeat(kept, self.lengths)], _offsets(kept))


def _offsets(lengths: Ints) -> Ints:
    out = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=out[1:])
    return out
