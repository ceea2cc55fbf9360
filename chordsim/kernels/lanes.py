"""How wide a vector of the compiled loops is, for whoever makes room for them."""

from __future__ import annotations

#: Numbers in one vector.
LANES = 16


def whole_vectors(count: int) -> int:
    """Return how many numbers the vectors hold that so many numbers need."""
    return -(-count // LANES) * LANES
