"""Which keys differ between two scenarios, for commands that tell a run under overrides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chordsim.config.model import Scenario


def changed_keys(old: Scenario, new: Scenario) -> dict[str, tuple[Any, Any]]:
    """Return the keys that differ, such as ``clock.loss``, with both values; None where a scenario has no such key."""
    one, two = dict(_leaves(old.model_dump(mode="json"))), dict(_leaves(new.model_dump(mode="json")))
    return {key: (one.get(key), two.get(key)) for key in sorted({*one, *two}) if one.get(key) != two.get(key)}


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}".lstrip("."))
    else:
        yield key, value
