"""Standard normal numbers, bit by bit as torch draws them on processors with AVX2: Box and Muller with the Cephes polynomials.

Constants and order of operations are those of `avx_mathfun.h` (J. Pommier and G. Garberoglio, zlib licence) as torch builds it: every
product that is added to something is one fused operation. Those are made here of doubles, in which the product of two
floats is exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chordsim.runtime.reference.twister import uniforms

Single = npt.NDArray[np.float32]

_LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_ROUND = 16


def normals(seed: int, count: int) -> Single:
    """Return the numbers of `torch.randn(count, generator=g)` after `g.manual_seed(seed)`, float32 [count].

    Sixteen uniform numbers make sixteen normal ones; where the count is no multiple of it, the last sixteen are drawn anew.

    Raises:
        ValueError: Fewer than 16, which torch draws in another way.
    """
    if count < _ROUND:
        raise ValueError(f"{count} numbers: torch draws fewer than {_ROUND} in another way")
    rest = count % _ROUND
    drawn = uniforms(seed, count + (_ROUND if rest else 0))
    out = np.empty(count, np.float32)
    out[: count - rest] = _sixteens(drawn[: count - rest])
    if rest:
        out[-_ROUND:] = _sixteens(drawn[count:])
    return out


def _sixteens(drawn: Single) -> Single:
    pairs = drawn.reshape(-1, 2, _ROUND // 2)
    radius = np.sqrt(np.float32(-2) * logarithm(np.float32(1) - pairs[:, 0]))
    sine, cosine = sine_and_cosine(np.float32(2 * np.pi) * pairs[:, 1])
    return np.stack([radius * cosine, radius * sine], 1).reshape(-1)


def logarithm(x: Single) -> Single:
    """Return natural logarithms of positive normal numbers."""
    bits = x.view(np.int32)
    power = ((bits >> 23) - 0x7F).astype(np.float32) + np.float32(1)
    x = ((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)
    small = x < np.float32(0.707106781186547524)
    own = np.where(small, x, np.float32(0))
    x = (x - np.float32(1)) + own
    power = power - small.astype(np.float32)
    square = x * x
    y = np.full_like(x, _LOG[0])
    for constant in _LOG[1:]:
        y = fused(y, x, np.float32(constant))
    y = fused(y * x, square, power * np.float32(-2.12194440e-4)) - square * np.float32(0.5)
    return fused(power, np.float32(0.693359375), x + y)


def sine_and_cosine(x: Single) -> tuple[Single, Single]:
    """Return sines and cosines of angles from 0 to some thousands."""
    octant = ((x * np.float32(1.27323954473516)).astype(np.int32) + 1) & ~1
    turns = octant.astype(np.float32)
    for part in (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8):
        x = fused(turns, np.float32(part), x)
    square = x * x
    even = np.full_like(x, _COSINE[0])
    for constant in _COSINE[1:]:
        even = fused(even, square, np.float32(constant))
    even = fused(even * square, square, -(square * np.float32(0.5))) + np.float32(1)
    odd = np.full_like(x, _SINE[0])
    for constant in _SINE[1:]:
        odd = fused(odd, square, np.float32(constant))
    odd = fused(odd * square, x, x)
    straight = (octant & 2) == 0
    sine, cosine = np.where(straight, odd, even), np.where(straight, even, odd)
    return np.where(octant & 4, -sine, sine), np.where((octant - 2) & 4, cosine, -cosine)


def fused(one: Single, two: Single | np.float32, three: Single | np.float32) -> Single:
    """Return one * two + three, rounded once.

    The product of two floats is exact in double; the sum is rounded there first, to odd where it is not exact, so that the
    second rounding is that of the whole (Boldo and Melquiond 2008).
    """
    product = one.astype(np.float64) * np.float64(two)
    added = np.asarray(three, np.float64)
    total = product + added
    lost = (product - (total - (total - product))) + (added - (total - product))
    bits = total.view(np.int64)
    even = (bits & 1) == 0
    away = (lost > 0) == (total > 0)
    odd = np.where((lost != 0) & even, bits + np.where(away, 1, -1), bits)
    return odd.view(np.float64).astype(np.float32)
