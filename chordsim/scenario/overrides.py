"""``--set a.b=c``: values put over a scenario's tables before they are checked."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from chordsim import methods
from chordsim.errors import ScenarioError
from chordsim.scenario.reading import MAX_STRING_CHARS, Plain, check_values

#: A tier sets one of these; setting one by hand takes the place of the others.
_EITHER = ("memory_mb", "memory_of_fp32", "memory_share")
#: Setting one of these by hand brings other phones, so the file's tiers, which may name hardware, give way.
_PHONES = ("population.era", "population.csv")


def apply(tables: Plain, overrides: Sequence[str]) -> dict[str, str]:
    """Put every override over ``tables``, in place, in order.

    Returns:
        For each dotted key that was set, the override's own text, so that an error can name it.

    Raises:
        ScenarioError: An override that is no ``key=value``, or that goes through something that is no table.
    """
    origin: dict[str, str] = {}
    pairs = [(text, *split(text)) for text in overrides]
    _drop_tiers(tables, [".".join(parts) for _, parts, _ in pairs])
    own = any(parts == ["population", "csv"] and value for _, parts, value in pairs)
    for text, parts, value in pairs:
        _seed_tiers(tables, parts, own)
        table = tables
        for depth, part in enumerate(parts[:-1], 1):
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ScenarioError(f"--set {_short(text)}: {'.'.join(parts[:depth])} is a value, not a table")
        table[parts[-1]] = value
        origin[".".join(parts)] = f"--set {_short(text)}"
        if len(parts) == 4 and parts[:2] == ["population", "tiers"] and parts[3] in _EITHER:
            for other in _EITHER:
                if ".".join([*parts[:3], other]) not in origin:
                    table.pop(other, None)
    if "methods" in origin:
        _drop_settings(tables, origin)
    return origin


def split(text: str) -> tuple[list[str], Any]:
    """Return the parts of the key, and the value: a TOML value if it reads as one, else the text itself.

    Raises:
        ScenarioError: Not of the form ``key=value``.
    """
    key, equals, raw = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise ScenarioError(f"--set {_short(text)}: write key=value, such as rounds.count=2")
    value = _value(raw.strip())
    check_values({key.strip(): value}, "--set")
    return parts, value


def _value(raw: str) -> Any:
    if len(raw) > 16 * MAX_STRING_CHARS:
        return raw
    try:
        tables = tomllib.loads(f"value = {raw}")
    except (ValueError, RecursionError):
        return raw
    # A line break in the text could have begun a second key; then it was never meant as TOML.
    return tables["value"] if tables.keys() == {"value"} else raw


def _seed_tiers(tables: Plain, parts: list[str], own: bool) -> None:
    """Begin with the default tiers where a file names none, so that one value of one tier can be set; ``own`` phones bring theirs later."""
    if len(parts) < 4 or parts[:2] != ["population", "tiers"]:
        return
    population = tables.setdefault("population", {})
    if isinstance(population, dict) and "tiers" not in population and not (own or population.get("csv")):
        from chordsim.config.model import default_tiers, era_tiers

        tiers = era_tiers() if population.get("era") else default_tiers()
        population["tiers"] = {name: tier.model_dump(exclude_none=True) for name, tier in tiers.items()}


def _drop_tiers(tables: Plain, keys: Sequence[str]) -> None:
    """Drop the file's tiers, and the other source of phones, where an override brings other phones."""
    population = tables.get("population")
    brought = [key for key in keys if key in _PHONES]
    if brought and isinstance(population, dict):
        population.pop("tiers", None)
        for key in _PHONES:
            if key not in brought:
                population.pop(key.partition(".")[2], None)


def _drop_settings(tables: Plain, origin: Mapping[str, str]) -> None:
    """Drop the file's settings of methods that an override took out of the run; those of them that a method which stays shares go to it."""
    names, settings = tables.get("methods"), tables.get("settings")
    if not isinstance(names, list) or not isinstance(settings, dict):
        return
    gone = {n: settings[n] for n in settings if n not in names and not any(key.startswith(f"settings.{n}.") for key in origin)}
    for name in gone:
        del settings[name]
    for heir in names if gone else ():
        own = settings.get(heir, {})
        # What no method is called, or is no table, is told when it is checked.
        with contextlib.suppress(ScenarioError, ImportError, AttributeError, TypeError):
            spec = methods.find(heir).as_set(own)
            left = {key: value for key, value in gone.get(spec.settings_of, {}).items() if key in spec.defaults}
            if left:
                settings[heir] = {**left, **own}


def _short(text: str) -> str:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return shown.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
