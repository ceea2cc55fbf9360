"""Over how many of a user's last items an extractor takes its means, for whoever checks settings without loading torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Lengths of the two means of the extractor `mean`, within the backbone's window; the prototype's best.
READS = (50, 8)
#: The longest, and how many means there may be.
LONGEST, MOST = 10_000, 8
WORDS = f"1 to {MOST} lengths, each a whole number from 1 to {LONGEST}"
#: Items whose ids take two bytes on a phone; those of larger catalogues take four.
_SHORT_IDS = 2**16


def are_lengths(value: Any) -> bool:
    """Return whether a setting is a list of lengths."""
    whole = [isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= LONGEST for n in value]
    return 1 <= len(whole) <= MOST and all(whole)


def reach_of(reads: Any) -> int:
    """Return how many of a user's last items lengths ask for, beyond the backbone's window if need be.

    `READS` itself asks for none: its means are of what the window holds, as ever. Of what makes no sense nothing is asked; whoever
    checks settings refuses it.
    """
    try:
        return 0 if not are_lengths(reads) or tuple(reads) == READS else max(reads)
    except TypeError:
        return 0


def held_bytes(reads: Sequence[int], window: int, n_items: int) -> int:
    """Return the bytes of the ids that a phone keeps of older items than the window holds, with those inside: none where it needs none."""
    reach = reach_of(reads)
    return 0 if reach <= window else reach * (2 if n_items < _SHORT_IDS else 4)
