"""What differs between the scenarios of runs, key by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested table as dotted keys."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def differences(scenarios: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return every key whose value is not the same everywhere, with each scenario's value as text ("–" for none).

    The name and the question are left out: they do not decide what happens.
    """
    tables = [flat(scenario) for scenario in scenarios]
    keys = dict.fromkeys(key for table in tables for key in table if key not in ("name", "question"))
    rows = [(key, [_words(table.get(key)) for table in tables]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _words(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
