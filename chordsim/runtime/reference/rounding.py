"""The quantizer of `chordsim.quant.quantizer` again, in numpy and to the last bit: rows [C, K] to whole levels and a scale each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chordsim.runtime.reference.sums import row_sums

Single = npt.NDArray[np.float32]
Levels = npt.NDArray[np.int8]

_THRESHOLD = np.float32(0.7)
_CLIP_SIGMAS = np.float32(2.6)
_TINY = np.float32(1e-30)


def rounded(rows: Single, bits: int) -> tuple[Levels, Single]:
    """Return levels [C, K] and scales [C, 1] of rows at 2 to 8 bits.

    Two bits are ternary; other widths take, row by row, what loses least of uniform levels up to the largest weight, ternary
    ones, and at 4 bits uniform ones that clip at 2.6 standard deviations or need 3 bits alone. Zeros are weights that a mask
    took out: they are not counted.

    Raises:
        ValueError: No such width.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"no quantizer for {bits} bits")
    levels, scale = _chosen(rows, bits)
    return levels.astype(np.int8), scale


def _chosen(rows: Single, bits: int) -> tuple[Single, Single]:
    ternary = _ternary(rows)
    if bits == 2:
        return ternary
    largest = np.abs(rows).max(-1, keepdims=True)
    choices = [_uniform(rows, bits, largest), ternary]
    if bits == 4:
        clip = np.minimum(largest, _CLIP_SIGMAS * _sigma(rows))
        choices = [_uniform(rows, bits, clip), *choices, _uniform(rows, 3, largest)]
    levels, scale = choices[0]
    error = _error(rows, levels, scale)
    for other, other_scale in choices[1:]:
        other_error = _error(rows, other, other_scale)
        better = other_error < error
        levels, scale = np.where(better, other, levels), np.where(better, other_scale, scale)
        error = np.where(better, other_error, error)
    return levels, scale


def _ternary(rows: Single) -> tuple[Single, Single]:
    size = np.abs(rows)
    large = (size > _THRESHOLD * row_sums(size) / _count(rows)).astype(np.float32)
    scale = row_sums(size * large) / np.maximum(row_sums(large), np.float32(1))
    return np.sign(rows) * large, np.asarray(scale, np.float32)


def _uniform(rows: Single, bits: int, limit: Single) -> tuple[Single, Single]:
    steps = np.float32(2 ** (bits - 1) - 1)
    scale = np.maximum(limit, _TINY) / steps
    return np.clip(np.rint(rows / scale), -steps, steps), np.asarray(scale, np.float32)


def _sigma(rows: Single) -> Single:
    count = _count(rows)
    apart = (rows - row_sums(rows) / count) * (rows != 0)
    return np.asarray(np.sqrt(row_sums(apart * apart) / count), np.float32)


def _count(rows: Single) -> Single:
    return np.maximum(row_sums((rows != 0).astype(np.float32)), np.float32(1))


def _error(rows: Single, levels: Single, scale: Single) -> Single:
    lost = rows - levels * scale
    return row_sums(lost * lost)
