"""From a name, a file or a text to a checked, resolved `Scenario`; and back to text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chordsim.config.model import Scenario
from chordsim.errors import ScenarioError
from chordsim.nearest import suggest
from chordsim.scenario.explain import explain
from chordsim.scenario.overrides import apply
from chordsim.scenario.reading import Plain, parse_toml, read_text
from chordsim.scenario.settings import resolve_settings
from chordsim.scenario.shipped import SUFFIX, question_of, shipped
from chordsim.scenario.text import digest, dump

#: Keys that name files.
_PATHS = (("data", "path"), ("population", "csv"), ("population", "latency"), ("population", "availability", "trace"))

__all__ = ["digest", "dump", "load", "locate", "parse", "resolve_settings", "shipped"]


def load(ref: str | Path, overrides: Sequence[str] = (), seed: int | None = None) -> Scenario:
    """Load a scenario, put overrides over it, check it and fill in every default.

    Args:
        ref: A shipped name, or a path.
        overrides: Texts such as ``"rounds.count=2"``, applied in order.
        seed: Takes the place of the scenario's seed.

    Raises:
        ScenarioError: One line that names the file or override, the key, and what would be right.
        DataError: A file of own phones, which brings the tiers, cannot be used.
    """
    path = locate(ref)
    text = read_text(path)
    tables = parse_toml(text, str(path))
    tables.setdefault("question", question_of(text)[:400])
    tables.setdefault("name", _name_of(path))
    _anchor(tables, path.resolve().parent)
    origin = apply(tables, overrides)
    if seed is not None:
        tables["seed"] = seed
        origin["seed"] = "--seed"
    _anchor(tables, Path.cwd())
    _bring_tiers(tables)
    return _validated(tables, str(path), origin)


def parse(text: str) -> Scenario:
    """Return the scenario of a resolved text, such as `dump` writes and messages carry.

    Raises:
        ScenarioError: The text is no valid scenario.
    """
    return _validated(parse_toml(text, "scenario text"), "scenario text", {})


def locate(ref: str | Path) -> Path:
    """Return the file that a shipped name or a path stands for; a shipped name comes first.

    Raises:
        ScenarioError: Neither; names the nearest shipped scenario.
    """
    if isinstance(ref, Path):
        return ref
    if "\0" in ref or not ref:
        raise ScenarioError(f"scenario {ref!r}: give a shipped name or a path")
    names = shipped()
    if ref in names:
        return names[ref]
    path = Path(ref)
    if path.suffix == SUFFIX or os.sep in ref or os.path.isfile(ref):
        return path
    raise ScenarioError(f"no shipped scenario is called {ref!r}{suggest(ref, names)} (a path ends in {SUFFIX})")


def _validated(tables: Plain, source: str, origin: Mapping[str, str]) -> Scenario:
    try:
        scenario = Scenario.model_validate(tables)
    except ValidationError as error:
        raise ScenarioError(explain(error, source, origin)) from None
    try:
        return resolve_settings(scenario)
    except ScenarioError as error:
        raise ScenarioError(f"{_blame(str(error), origin) or source}: {error}") from error.__cause__


def _blame(message: str, origin: Mapping[str, str]) -> str | None:
    """Return the override that a message about methods or their settings speaks of, if one does."""
    for key, text in origin.items():
        about_methods = key == "methods" and message.startswith(("unknown method", "methods:"))
        about_methods |= key == "backbone.kind" and key in message
        if about_methods or (key.startswith(("settings.", "backbone.settings")) and re.search(rf"\b{re.escape(key)}\b", message)):
            return text
    return None


def _anchor(tables: Plain, folder: Path) -> None:
    """Make relative paths of files absolute, since other processes read them from other folders."""
    for *place, key in _PATHS:
        table: Any = tables
        for part in place:
            table = table.get(part) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(table.get(key), str) and table[key]:
            table[key] = str(folder / os.path.expanduser(table[key]))


def _bring_tiers(tables: Plain) -> None:
    """Write the tiers of a file of own phones into the scenario, where it does not state them whole."""
    population = tables.get("population")
    if not isinstance(population, dict) or not isinstance(path := population.get("csv"), str) or not path or population.get("era"):
        return
    given = population.get("tiers", {})
    if isinstance(given, dict) and (not given or any(isinstance(tier, dict) and "share" not in tier for tier in given.values())):
        from chordsim.population.own import tiers_of

        population["tiers"] = tiers_of(path, given)


def _name_of(path: Path) -> str:
    """Return the file's name as a scenario's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:64] or "scenario"
