"""Figures of a summary by their keys, `None` where a run has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(method: Mapping[str, Any], *path: str) -> float | None:
    """Return one figure of a method, or of one of its tiers.

    Args:
        method: As summary.json holds it.
        path: Its keys.
    """
    found: Any = method
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return None if found is None else float(found)
