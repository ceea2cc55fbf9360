"""How a loop is compiled: without Python's lock, kept on disk where that is allowed, in the order that it is written."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(loop: _Loop) -> _Loop:
    """Compile a function of numbers and arrays when it is first called.

    Operations stay as they are written and in that order, so that a result is the same whatever the width of the processor's
    registers. Divisions by zero give infinities, as in numpy.
    """
    return _compile(loop, set())


def merged(loop: _Loop) -> _Loop:
    """Make a function a part of those that call it, so that it is not compiled by itself besides."""
    return numba.njit(inline="always", error_model="numpy")(loop)  # type: ignore[no-any-return]


def counted(loop: _Loop) -> _Loop:
    """Compile a function whose sums are whole numbers that a float holds exactly, or a maximum: any order gives the same; never a NaN."""
    return _compile(loop, {"reassoc", "nsz", "nnan"})


def _compile(loop: _Loop, allowed: set[str]) -> _Loop:
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": allowed}
    try:
        made = numba.njit(cache=True, **settings)(loop)
    except RuntimeError:
        # Neither beside the source nor in the user's own cache may anything be written: compiled anew in each process.
        return numba.njit(**settings)(loop)  # type: ignore[no-any-return]
    kept = made._cache
    # numba asks whether a loop's own file has changed; what is compiled into it stands in the others of this folder.
    kept._cache_file._source_stamp = (_sources(), kept._cache_file._source_stamp)
    kept.load_overload, kept.save_overload = _forgiving(kept.load_overload), _forgiving(kept.save_overload)
    return made  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _sources() -> str:
    """Return the hash of all files of this folder."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


def _forgiving(step: Callable[..., Any]) -> Callable[..., Any]:
    """Let what cannot be read or written, as where a disk is full or a folder is gone, be compiled anew."""

    def taken(*what: Any) -> Any:
        with contextlib.suppress(OSError):
            return step(*what)
        return None

    return taken
