"""A scenario written out: resolved TOML for people, and a digest for machines."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import tomli_w

from chordsim.config.model import Scenario


def dump(scenario: Scenario) -> str:
    """Return resolved TOML with every key, the question as its first line. Keys without a value are left out."""
    tables = _without_none(scenario.model_dump(mode="json"))
    question = "".join(c for c in " ".join(scenario.question.split()) if c.isprintable())  # a comment takes no control characters
    return (f"# {question}\n" if question else "") + tomli_w.dumps(tables)


def digest(scenario: Scenario) -> str:
    """Return the sha256 of the scenario's canonical JSON: sorted keys, no spaces, no keys without a value."""
    tables = _without_none(scenario.model_dump(mode="json"))
    text = json.dumps(tables, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value
