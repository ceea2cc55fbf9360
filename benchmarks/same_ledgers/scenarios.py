"""The scenarios of scenarios.toml as whole tables, ready to be written for either checkout."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

Tables = dict[str, Any]
SOURCE = Path(__file__).with_name("scenarios.toml")


@dataclass(frozen=True)
class Scenario:
    """One scenario and what is done with it.

    Attributes:
        name: What its line begins with.
        tables: The scenario's tables, without its methods.
        methods: Names; "all" that are registered; or "able", those of them that the backbone suits.
        recost: Overrides of each time that the finished run is recosted.
        killed: Whether it is played once more, killed after its first checkpoint, and resumed.
    """

    name: str
    tables: Tables
    methods: str | tuple[str, ...] = "all"
    recost: tuple[tuple[str, ...], ...] = ()
    killed: bool = False

    def over(self, tables: Tables) -> Scenario:
        """Return it with these tables' keys over its own."""
        return replace(self, tables=merged(self.tables, tables))

    def job(self) -> dict[str, Any]:
        """Return it as the JSON that the player is given."""
        return {"name": self.name, "tables": self.tables, "methods": self.methods, "recost": self.recost, "killed": self.killed}


def scenarios(source: Path = SOURCE) -> list[Scenario]:
    """Return all scenarios of a file, each the base with its own keys over it."""
    read = tomllib.loads(source.read_text())
    return [_scenario(read["base"], entry) for entry in read["scenario"]]


def _scenario(base: Tables, entry: Mapping[str, Any]) -> Scenario:
    tables = copy.deepcopy(base)
    for key in entry.get("without", ()):
        *place, last = key.split(".")
        table = tables
        for part in place:
            table = table[part]
        del table[last]
    methods = entry.get("methods", "all")
    return Scenario(
        name=entry["name"],
        tables=merged(tables, entry.get("set", {})),
        methods=methods if isinstance(methods, str) else tuple(methods),
        recost=tuple(tuple(overrides) for overrides in entry.get("recost", ())),
        killed=entry.get("killed", False),
    )


def merged(below: Tables, above: Mapping[str, Any]) -> Tables:
    """Return one set of tables over another, key by key."""
    out = dict(below)
    for key, value in above.items():
        out[key] = merged(out.get(key, {}), value) if isinstance(value, Mapping) else value
    return out
