"""One phone's file: its plan's weights packed, as safetensors that says what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from chordsim.arrays import dense
from chordsim.door import read_regular
from chordsim.errors import DataError
from chordsim.files import atomic_write
from chordsim.runtime.reference.steps import Packed, Part, Single, row_bytes, unpack

FORMAT = "chordsim-phone-1"
_LARGEST = 2**31
_KEY = "chordsim"


def write(path: Path, packed: Packed, gains: Single | None, about: Mapping[str, Any]) -> None:
    """Write a phone's file.

    Args:
        path: Where.
        packed: Its weights.
        gains: Learnt scale of each row; None for none.
        about: Scenario, seed, ledger hash, plan, bits and the like (JSON).
    """
    tensors: dict[str, Any] = {"bits": packed.bits, "levels": packed.levels, "scales": packed.scales}
    if gains is not None:
        tensors["gains"] = gains
    said = json.dumps({"format": FORMAT, **about}, sort_keys=True)
    atomic_write(path, safetensors.numpy.save(dense(tensors), metadata={_KEY: said}))


def read(path: Path, parts: Sequence[Part]) -> tuple[list[Single], Packed]:
    """Return the weights of a phone's file, unpacked, [rows, width] for each part, and as they lie there.

    Raises:
        DataError: Not such a file, of another model, or damaged.
    """
    try:
        tensors = safetensors.numpy.load(read_regular(path, _LARGEST))
        packed = Packed(tensors["bits"], tensors["levels"], tensors["scales"])
        gains = tensors.get("gains")
        rows = sum(part.rows for part in parts)
        kinds = [packed.bits.dtype == np.uint8, packed.levels.dtype == np.uint8, packed.scales.dtype == np.float32]
        shapes = [packed.bits.shape == (rows,), packed.scales.shape == (rows,), packed.levels.ndim == 1]
        if not all(kinds + shapes) or int(packed.bits.max(initial=0)) > 8 or (gains is not None and gains.shape != (rows,)):
            raise ValueError("tensors of another model")
        if int(row_bytes(packed.bits, parts).sum()) != packed.levels.size:
            raise ValueError("levels of another plan")
        with np.errstate(over="ignore", invalid="ignore"):
            weights = unpack(packed, parts, gains)
        if not all(np.isfinite(weight).all() for weight in weights):
            raise ValueError("scales that make no numbers")
        return weights, packed
    except (SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a phone's file of this export: {error}") from error


def about(path: Path) -> dict[str, Any]:
    """Return what a phone's file says of itself.

    Raises:
        DataError: Not such a file.
    """
    try:
        with safe_open(path, "numpy") as file:
            said = json.loads((file.metadata() or {})[_KEY])
        return dict(said)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: not a phone's file: {error}") from error
