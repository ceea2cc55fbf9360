"""The only source of randomness: everything is derived from (seed, purpose, device, round).

Values for devices come from a counter-based hash, so device 17 draws the same numbers alone, in a chunk of
256 or in a population of ten million, in any order and on any worker. Sequential consumers (training,
synthetic data) get a generator whose key is derived in the same way.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_TO_UNIT = 2.0**-53


def key(seed: int, purpose: str, *, device: int = 0, round: int = 0) -> int:
    """Return the 64-bit key of one stream of random numbers.

    Args:
        seed: The scenario's seed.
        purpose: What the numbers are for, such as ``"population.tier"``; distinct purposes are independent.
        device: Device id, for a stream that belongs to one device.
        round: Round number, for a stream that belongs to one round.
    """
    text = f"{seed}\x1f{purpose}\x1f{device}\x1f{round}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the splitmix64 finaliser of every element (Steele, Lea and Flood, OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def uniforms(seed: int, purpose: str, device_ids: npt.NDArray[np.int64], *, round: int = 0, count: int = 1) -> npt.NDArray[np.float64]:
    """Draw ``count`` numbers in [0, 1) for each device, a pure function of (seed, purpose, device, round).

    Returns:
        Array of shape [D, count].
    """
    with np.errstate(over="ignore"):
        base = _mix(np.asarray(device_ids, dtype=np.int64).astype(np.uint64) * _GOLDEN ^ np.uint64(key(seed, purpose, round=round)))
        steps = (np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)[None, :]
        bits = _mix(_mix(base[:, None] + steps))
    return (bits >> np.uint64(11)).astype(np.float64) * _TO_UNIT


def normals(seed: int, purpose: str, device_ids: npt.NDArray[np.int64], *, round: int = 0, count: int = 1) -> npt.NDArray[np.float64]:
    """Draw ``count`` standard normal numbers for each device (Box and Muller). Returns shape [D, count]."""
    pair = uniforms(seed, purpose, device_ids, round=round, count=2 * count)
    radius = np.sqrt(-2.0 * np.log1p(-pair[:, :count]))
    return np.asarray(radius * np.cos(2.0 * np.pi * pair[:, count:]))


def generator(seed: int, purpose: str, *, device: int = 0, round: int = 0) -> np.random.Generator:
    """Return a NumPy generator (Philox) for sequential draws."""
    return np.random.Generator(np.random.Philox(key=key(seed, purpose, device=device, round=round)))


def torch_generator(seed: int, purpose: str, *, device: int = 0, round: int = 0) -> torch.Generator:
    """Return a CPU torch generator for sequential draws; torch is loaded only here."""
    import torch

    made = torch.Generator(device="cpu")
    made.manual_seed(key(seed, purpose, device=device, round=round) & 0x7FFF_FFFF_FFFF_FFFF)
    return made
