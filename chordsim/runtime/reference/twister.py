"""The Mersenne Twister (Matsumoto and Nishimura 1998) and the uniform numbers that torch makes of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_STATE, _SHIFT = 624, 397
_UPPER, _LOWER, _TWIST = np.uint32(0x80000000), np.uint32(0x7FFFFFFF), np.uint32(0x9908B0DF)


def words(seed: int, count: int) -> npt.NDArray[np.uint32]:
    """Return the first 32-bit words of the generator MT19937, [count].

    Args:
        seed: Its lowest 32 bits alone are used, as by torch's CPU generator.
        count: How many.
    """
    state = _seeded(seed & 0xFFFFFFFF)
    blocks = []
    for _ in range(-(-count // _STATE)):
        state = _next(state)
        blocks.append(_tempered(state))
    return np.concatenate(blocks)[:count] if blocks else np.zeros(0, np.uint32)


def uniforms(seed: int, count: int) -> npt.NDArray[np.float32]:
    """Return uniform numbers in [0, 1) as torch draws them in float32: the lowest 24 bits of a word, over 2^24."""
    return (words(seed, count) & np.uint32(0xFFFFFF)).astype(np.float32) * np.float32(2.0**-24)


def _seeded(seed: int) -> npt.NDArray[np.uint32]:
    state = [seed]
    for n in range(1, _STATE):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + n) & 0xFFFFFFFF)
    return np.array(state, np.uint32)


def _next(state: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the following state; a word depends on one that is 397 places on, so three slices are each done at once."""
    out = state.copy()
    for low, high in ((0, _STATE - _SHIFT), (_STATE - _SHIFT, 2 * (_STATE - _SHIFT)), (2 * (_STATE - _SHIFT), _STATE - 1)):
        place = np.arange(low, high)
        out[place] = _mixed(out[place], out[place + 1], out[(place + _SHIFT) % _STATE])
    out[-1:] = _mixed(out[-1:], out[:1], out[_SHIFT - 1 : _SHIFT])
    return out


def _mixed(one: npt.NDArray[np.uint32], two: npt.NDArray[np.uint32], far: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    joined = (one & _UPPER) | (two & _LOWER)
    return np.asarray(far ^ (joined >> np.uint32(1)) ^ np.where(two & np.uint32(1), _TWIST, np.uint32(0)))


def _tempered(state: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    out = state ^ (state >> np.uint32(11))
    out ^= (out << np.uint32(7)) & np.uint32(0x9D2C5680)
    out ^= (out << np.uint32(15)) & np.uint32(0xEFC60000)
    return np.asarray(out ^ (out >> np.uint32(18)), np.uint32)
