"""Comparing runs: checks that they can be compared, pairs their users, and says what is significant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.arrays import Floats
from chordsim.compare.pairing import pair
from chordsim.compare.scenario_diff import differences
from chordsim.errors import RunError, UserError
from chordsim.ledger.damage import of_runs
from chordsim.report.gather import Gathered, gather
from chordsim.report.source import Source
from chordsim.statistics.differences import Difference, paired

#: Views of the users: the column that is compared, and what it is called.
VIEWS = {"to serve": "ndcg_10_all", "both served": "ndcg_10"}


@dataclass(frozen=True)
class Line:
    """One line of the table of differences.

    Attributes:
        run: Position of the run that is compared with the first.
        method: Its method, and the first run's where that has another name.
        view: One of `VIEWS`.
        base: Mean in the first run over the paired users; None without users.
        other: Mean in this run over the same users.
        difference: This run minus the first.
    """

    run: int
    method: str
    view: str
    base: float | None
    other: float | None
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        names: How each run is called here.
        gathered: The runs.
        differs: Keys of scenarios, numerics and versions that differ, with each run's value.
        lines: Differences of every run to the first; all of them are the family of Holm's correction.
        sources: What each run says about itself.
    """

    names: tuple[str, ...]
    gathered: tuple[Gathered, ...]
    differs: list[tuple[str, list[str]]]
    lines: list[Line]
    sources: tuple[Source, ...]

    @property
    def sizes_only(self) -> bool:
        """Whether nothing was ranked in these runs, so that only what they cost can be compared."""
        return all(source.sizes_only for source in self.sources)


@of_runs
def compare(runs: Sequence[Path], check: bool = True) -> Comparison:
    """Compare every run with the first, method by method, over the same users.

    Args:
        runs: Run directories.
        check: Hold their files against their checksums.

    Raises:
        UserError: Fewer than two runs, or runs that cannot be compared: other data, other users, another protocol,
            no method in common. The text says which and why.
        RunError: A run without a ledger, or a damaged file.
    """
    if len(runs) < 2:
        raise UserError("compare needs at least two run directories, such as runs/quickstart-1-1 runs/quickstart-1-2")
    sources = [Source.read(run, check) for run in runs]
    for source in sources[1:]:
        _check_same(sources[0], source)
    differs = differences([source.scenario for source in sources]) + differences([_computed_with(source) for source in sources])
    if all(source.sizes_only for source in sources):
        return Comparison(_names(runs), (), differs, [], _ended(sources))
    gathered = [gather(run, source=source) for run, source in zip(runs, sources, strict=True)]
    pairs: dict[tuple[int, str, str], tuple[Floats, Floats]] = {}
    for number, other in enumerate(gathered[1:], 1):
        _check_users(gathered[0], other)
        users = max(gathered[0].users, other.users)
        for label, first, second in _methods(gathered[0], other):
            found = pair(runs[0], runs[number], (first, second), users)
            for view, column in VIEWS.items():
                base, mine = found[column]
                pairs[number, label, view] = mine, base
    keys = {f"{n}/{label}/{view}": (n, label, view) for n, label, view in pairs}
    made = paired({name: pairs[key] for name, key in keys.items()}, gathered[0].source.seed)
    lines = [Line(*keys[name], *_means(pairs[keys[name]]), difference) for name, difference in made.items()]
    return Comparison(_names(runs), tuple(gathered), differs, lines, tuple(sources))


def _computed_with(source: Source) -> dict[str, Any]:
    """Return what decides last bits beside the scenario, as keys of the manifest."""
    return {name: source.manifest.get(name, {}) for name in ("numerics", "versions")}


def _ended(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Return the runs if all of them have their sums.

    Raises:
        RunError: One that did not end.
    """
    for source in sources:
        if not source.summary:
            raise RunError(f"{source.path}: has no summary.json, so its sizes cannot be compared: the run is {source.status}")
    return tuple(sources)


def _check_same(first: Source, other: Source) -> None:
    """Refuse runs over other data or under another protocol.

    Raises:
        UserError: With both values.
    """
    for what, table, key in (("users and items", "data", "digest"), ("ranking protocol", "protocol", None)):
        one, two = ((s.manifest.get(table) or {}) for s in (first, other))
        a, b = (one.get(key), two.get(key)) if key else (one, two)
        if not a or not b:
            where = (first if not a else other).path
            raise UserError(f"{where}: its manifest does not tell the {what}: the run ended before it began to play")
        if a != b:
            why = f"data {one.get('name')} ({str(a)[:12]}) and {two.get('name')} ({str(b)[:12]})" if key else _protocols(one, two)
            raise UserError(f"{other.path}: cannot be compared with {first.path}: the {what} differ: {why}")


def _protocols(one: dict[str, object], two: dict[str, object]) -> str:
    return "; ".join(f"{key}: {one.get(key)!r} and {two.get(key)!r}" for key in sorted({*one, *two}) if one.get(key) != two.get(key))


def _check_users(first: Gathered, other: Gathered) -> None:
    """Refuse runs whose users to serve are not the same.

    Raises:
        UserError: With how many users stand in one run only.
    """
    sets = []
    for g in (first, other):
        known = np.zeros(max(first.users, other.users), np.bool_)
        for facts in g.methods.values():
            means = facts.users["ndcg_10_all"].means()
            known[: means.size] |= ~np.isnan(means)
        sets.append(known)
    apart = int((sets[0] != sets[1]).sum())
    if apart:
        every = int((sets[0] | sets[1]).sum())
        raise UserError(
            f"{other.source.path}: cannot be compared with {first.source.path}: the users to serve differ: "
            f"{apart:,} of {every:,} are in one run only; select the same phones in both (population.selected, seed)"
        )


def _methods(first: Gathered, other: Gathered) -> list[tuple[str, str, str]]:
    """Return label, method of the first run and method of the other, for every pair to compare."""
    common = [name for name in first.methods if name in other.methods]
    if common:
        return [(name, name, name) for name in common]
    if len(first.methods) == len(other.methods) == 1:
        one, two = next(iter(first.methods)), next(iter(other.methods))
        return [(f"{two} to {one}", one, two)]
    raise UserError(
        f"{other.source.path}: no method in common with {first.source.path}: {', '.join(first.methods)} and {', '.join(other.methods)}"
    )


def _means(pair: tuple[Floats, Floats]) -> tuple[float | None, float | None]:
    mine, base = pair
    both = ~np.isnan(mine) & ~np.isnan(base)
    return (float(base[both].mean()), float(mine[both].mean())) if both.any() else (None, None)


def _names(runs: Sequence[Path]) -> tuple[str, ...]:
    """Return short names that tell the runs apart."""
    names = [run.resolve().name for run in runs]
    return tuple(name if names.count(name) == 1 else f"{n}: {run}" for n, (name, run) in enumerate(zip(names, runs, strict=True), 1))
