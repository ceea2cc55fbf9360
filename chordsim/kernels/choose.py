"""The switch `engine.kernel`: what runs the inner loops, and why."""

from __future__ import annotations

from functools import lru_cache

from chordsim.errors import ScenarioError

TORCH, NATIVE = "torch", "native"


@lru_cache(maxsize=1)
def obstacle() -> str:
    """Return why loops cannot be compiled here; empty where they can."""
    try:
        from chordsim.kernels.native.vector import fused
    except Exception as error:  # numba refuses versions of python and numpy with errors of its own
        return f"numba cannot be loaded ({type(error).__name__}: {error})"
    return "" if fused() else "this processor does not multiply and add in one step"


def resolve(asked: str) -> str:
    """Return ``torch`` or ``native`` for a value of `engine.kernel`.

    Raises:
        ScenarioError: ``native`` is asked for and cannot be had.
    """
    if asked == NATIVE and obstacle():
        raise ScenarioError(f'engine.kernel = "native" cannot be had here: {obstacle()}; use "auto" or "torch"')
    return TORCH if asked == TORCH or obstacle() else NATIVE
