"""Holm's correction of a family of comparisons that was named beforehand."""

from __future__ import annotations

from collections.abc import Sequence

#: A corrected p below this is called significant.
ALPHA = 0.05


def holm(ps: Sequence[float]) -> list[float]:
    """Return the step-down corrected p of each p (Holm, 1979), in the order given."""
    out, highest = [1.0] * len(ps), 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[index]))
        out[index] = highest
    return out
