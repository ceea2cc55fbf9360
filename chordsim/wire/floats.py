"""Rows of numbers as bytes: little-endian float32 or float16 vectors, and a phone's budgets in 20 bytes."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Bytes, Floats
from chordsim.methods import Budgets
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload

Bits = Literal[32, 16]
_Wide = TypeVar("_Wide", np.float32, np.float64)
_DTYPES: dict[Bits, np.dtype[Any]] = {32: np.dtype("<f4"), 16: np.dtype("<f2")}

_BUDGET = np.dtype([("memory_bytes", "<u8"), ("latency_s", "<f4"), ("bits", "<f4"), ("macs_per_s", "<f4")])
#: Bytes of one phone's budgets.
BUDGET_BYTES = _BUDGET.itemsize


def pack_floats(values: npt.NDArray[np.floating[Any]], bits: Bits = 32) -> Bytes:
    """Return rows [D, n] as little-endian bytes [D, n * bits / 8]; finite values saturate at the format's ends."""
    dtype = _DTYPES[bits]
    ends = np.finfo(dtype)
    bounded = np.where(np.isfinite(values), np.clip(values, ends.min, ends.max), values)
    return np.ascontiguousarray(bounded.astype(dtype)).view(np.uint8).reshape(values.shape[0], values.shape[1] * dtype.itemsize)


def unpack_floats(rows: Ragged, count: int, bits: Bits = 32) -> tuple[npt.NDArray[np.float32], Bools]:
    """Return ``count`` numbers per row, float32 [D, count], and which rows [D] are sound. Total.

    A row of another length, or with a NaN or an infinity, is not sound and comes back as zeros.
    """
    dtype = _DTYPES[bits]
    packed, fits = rows.matrix(count * dtype.itemsize)
    values = _widen(packed.view(dtype).reshape(len(rows), count), np.float32)
    sound = fits & np.isfinite(values).all(axis=1)
    values[~sound] = 0.0
    return values, sound


def pack_budgets(budgets: Budgets) -> Bytes:
    """Return budgets as bytes [D, 20]: memory u64, then latency, bits and speed as float32.

    A float32 never exceeds the number it stands for, so a plan that holds the budget as sent holds it on the phone.

    Raises:
        ValueError: A negative memory budget.
    """
    if bool(np.any(budgets.memory_bytes < 0)):
        raise ValueError("a memory budget is negative")
    out = np.zeros(budgets.memory_bytes.size, _BUDGET)
    out["memory_bytes"] = budgets.memory_bytes
    for name in ("latency_s", "bits", "macs_per_s"):
        out[name] = _round_down(getattr(budgets, name))
    return out.view(np.uint8).reshape(-1, BUDGET_BYTES)


def unpack_budgets(packed: Bytes) -> tuple[Budgets, Bools]:
    """Return the budgets in rows [D, 20] and which rows [D] are sound. Total over the values.

    Not sound: a NaN, an infinity, a negative number, a speed of zero, a memory of 2^63 bytes or more. Such
    rows come back as budgets of nothing with a speed of 1, so that no later division meets a zero.

    Raises:
        BadPayload: Rows are not 20 bytes wide.
    """
    if packed.ndim != 2 or packed.shape[1] != BUDGET_BYTES:
        raise BadPayload(f"budgets of shape {packed.shape}: a row has {BUDGET_BYTES} bytes")
    fields = np.ascontiguousarray(packed).view(_BUDGET)[:, 0] if packed.shape[0] else np.zeros(0, _BUDGET)
    numbers = {name: _widen(fields[name], np.float64) for name in ("latency_s", "bits", "macs_per_s")}
    sound = (fields["memory_bytes"] < np.uint64(2**63)) & (numbers["macs_per_s"] > 0)
    for number in numbers.values():
        sound &= np.isfinite(number) & (number >= 0)
    memory = np.where(sound, fields["memory_bytes"], np.uint64(0)).astype(np.int64)
    kept = {name: np.where(sound, number, 1.0 if name == "macs_per_s" else 0.0) for name, number in numbers.items()}
    return Budgets(memory, kept["latency_s"], kept["bits"], kept["macs_per_s"]), sound


def _round_down(values: Floats) -> npt.NDArray[np.float32]:
    """Return the largest float32 that is not above each value; the format's end for values beyond it."""
    bounded = np.where(np.isfinite(values), np.clip(values, -np.finfo(np.float32).max, np.finfo(np.float32).max), values)
    near = bounded.astype(np.float32)
    return np.where(near.astype(np.float64) > values, np.nextafter(near, np.float32(-np.inf)), near)


def _widen(values: npt.NDArray[Any], to: type[_Wide]) -> npt.NDArray[_Wide]:
    """Return the values in a wider format; a hostile signalling NaN is a NaN here, not a warning."""
    with np.errstate(invalid="ignore"):
        return values.astype(to)
