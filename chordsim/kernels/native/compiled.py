"""How a loop is compiled: without Python's lock, kept on disk where that is allowed, in the order that it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(loop: _Loop) -> _Loop:
    """Compile a function of numbers and arrays when it is first called.

    A product and the sum that it enters may become one operation (fused multiply-add); sums keep their order, so that a result
    is the same whatever the width of the processor's registers. Divisions by zero give infinities, as in numpy.
    """
    return _compile(loop, {"contract"})


def counted(loop: _Loop) -> _Loop:
    """Compile a function whose sums are whole numbers that a float holds exactly, or a maximum: any order gives the same; never a NaN."""
    return _compile(loop, {"reassoc", "nsz", "nnan"})


def _compile(loop: _Loop, allowed: set[str]) -> _Loop:
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": allowed}
    try:
        return numba.njit(cache=True, **settings)(loop)  # type: ignore[no-any-return]
    except RuntimeError:
        # Neither beside the source nor in the user's own cache may anything be written: compiled anew in each process.
        return numba.njit(**settings)(loop)  # type: ignore[no-any-return]
