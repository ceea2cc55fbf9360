"""Which method the others are compared with: the one that the scenario names, never the one that happened to win."""

from __future__ import annotations

from collections.abc import Sequence


def baseline(wanted: str, methods: Sequence[str]) -> tuple[str, str]:
    """Return the method that others are compared with, and a sentence that says so.

    Args:
        wanted: What `protocol.baseline` names.
        methods: Those of the run that have a value, in the scenario's order; at least one.
    """
    if wanted in methods:
        return wanted, f"Differences are against {wanted}, the scenario's protocol.baseline."
    first = methods[0]
    return first, f"{wanted}, the scenario's protocol.baseline, is not in this run: differences are against {first}, its first method."
