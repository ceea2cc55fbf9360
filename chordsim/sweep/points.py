"""From ``--over key=a,b,c`` to points: every combination of values and seeds, each with its checked scenario."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chordsim.config.model import Scenario
from chordsim.errors import ScenarioError
from chordsim.evaluate import describe
from chordsim.scenario.load import digest, load

#: More runs than this are surely a slip.
MOST_POINTS = 10_000
_OPEN, _CLOSE = "[{", "]}"


@dataclass(frozen=True)
class Axis:
    """One key and the values that it takes, as they were written."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """One run of the grid.

    Attributes:
        values: The value of every axis, as written.
        overrides: What is set over the scenario, as ``key=value``.
        seed: The run's seed.
        scenario: Resolved and checked.
        name: Its folder: readable, and unique by the scenario's hash.
    """

    values: tuple[str, ...]
    overrides: tuple[str, ...]
    seed: int
    scenario: Scenario
    name: str


def axis(text: str) -> Axis:
    """Return the axis of ``key=a,b,c``; commas inside brackets, braces or quotes do not cut.

    Raises:
        ScenarioError: Not of that form, an empty value, or a value that stands twice.
    """
    key, equals, raw = text.partition("=")
    values = [value.strip() for value in _cut(raw)]
    if not equals or not key.strip() or not all(values):
        raise ScenarioError(f"--over {text}: write key=a,b,c, such as rounds.count=1,2,4")
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ScenarioError(f"--over {text}: {value} stands twice")
        seen.add(value)
    return Axis(key.strip(), tuple(values))


def points(ref: str | Path, axes: Sequence[Axis], overrides: Sequence[str], first_seed: int | None, seeds: int) -> list[Point]:
    """Return every point of the grid; all scenarios are checked before any of them runs.

    Args:
        ref: The scenario, a shipped name or a path.
        axes: What is varied.
        overrides: What is set in every point.
        first_seed: The first seed; None takes the scenario's.
        seeds: How many seeds, counted up from the first.

    Raises:
        ScenarioError: A key that stands twice, too many points, a point whose scenario is not valid, or points whose ranks are
            made by other rules and so do not belong in one table.
    """
    keys = [one.key for one in axes]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None or "seed" in keys:
        raise ScenarioError(f"--over {twice or 'seed'}: " + ("the key stands twice" if twice else "use --seeds N for seeds"))
    count = seeds
    for one in axes:
        count *= len(one.values)
    if count > MOST_POINTS:
        raise ScenarioError(f"this grid has {count:,} points: at most {MOST_POINTS:,} can be swept at once")
    base = load(ref, overrides).seed if first_seed is None else first_seed
    out = []
    for values in itertools.product(*(one.values for one in axes)):
        own = tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))
        for seed in range(base, base + seeds):
            scenario = load(ref, [*overrides, *own], seed)
            out.append(Point(values, (*overrides, *own), seed, scenario, _folder(keys, values, seed, scenario)))
    _check_one_protocol(keys, out)
    return out


def _check_one_protocol(keys: Sequence[str], made: Sequence[Point]) -> None:
    first = describe(made[0].scenario)
    other = next((point for point in made if describe(point.scenario) != first), None)
    if other is not None:
        told = describe(other.scenario)
        rule = next(name for name in {**first, **told} if first.get(name) != told.get(name))
        differ = f"{rule}: {first.get(rule)!r} and {told.get(rule)!r}"
        raise ScenarioError(
            f"--over {', '.join(keys)}: its points rank by different rules ({differ}), which do not belong in one table: "
            "make one sweep for each"
        )


def _cut(raw: str) -> list[str]:
    parts, depth, quote = [""], 0, ""
    for sign in raw:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in _OPEN + _CLOSE:
            depth += 1 if sign in _OPEN else -1
        if sign == "," and not quote and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _folder(keys: Sequence[str], values: Sequence[str], seed: int, scenario: Scenario) -> str:
    words = "_".join(f"{key.rpartition('.')[2]}-{value}" for key, value in zip(keys, values, strict=True))
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", words).strip("-._")[:80]
    return f"{readable}_seed-{seed}_{digest(scenario)[:10]}".lstrip("_")
