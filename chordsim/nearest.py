"""The nearest right word to a wrong one, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(word: str, choices: Iterable[str]) -> str:
    """Return ``": did you mean 'x'?"``, or the list of choices where none is near."""
    names = sorted(choices)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f": did you mean {near[0]!r}?"
    return f": choose from {', '.join(names)}" if names else ""
