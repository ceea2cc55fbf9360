"""Raw tables from run directories: accuracy by cell, paired differences by comparison, and which cells are there."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suites import users
from benchmarks.suites.agenda import Cell, Group, cells
from benchmarks.suites.kept import Kept
from benchmarks.suites.runs import METRICS, Measured, complete_runs, filled, measure
from benchmarks.suites.sheets import (
    ACCURACY,
    ALL_SEEDS,
    CELLS,
    DIFFERENCES,
    MEASURED,
    MISSING,
    USERS,
    USERS_AND_SEEDS,
    Line,
    cells_of,
    text,
    write_lines,
)
from benchmarks.suites.users import Users
from chordsim.ledger.summary import SESSIONS
from chordsim.statistics.differences import Pair, paired_over_seeds
from chordsim.statistics.estimates import estimate_over_seeds
from chordsim.statistics.families import holm

#: Whose accuracy a line is the mean of.
EVERYBODY, STRANGERS = "all users", "users that the cloud never trained on"
Families = Mapping[str, Sequence[tuple[str, str]]]


def write(folder: Path, out: Path, suite: tuple[Group, ...], families: Families) -> list[str]:
    """Write the tables from the complete runs of a folder; cells that were measured elsewhere keep the lines that they have.

    Returns:
        What is told of it, a line each.

    Raises:
        RunError: A damaged run, or two cells of one comparison over other data or under another protocol.
    """
    by_cell = at_hand(folder, suite)
    found = {(key, one.cell.seed): one for key, several in by_cell.items() for one in several}
    kept = Kept.read(out, suite)
    by_user = kept.users_with(by_cell)
    out.mkdir(parents=True, exist_ok=True)
    compared = [
        line
        for name, pairs in families.items()
        for line in _corrected([kept.difference(made) for made in _difference_lines(name, pairs, by_user)])
    ]
    keys = dict.fromkeys(cell.key for cell in cells(suite))
    accuracy = [line for key in keys for line in kept.accuracy_with(key, _accuracy_lines(by_cell.get(key, [])), by_user.get(key, []))]
    told = [_cell_line(cell, found.get((cell.key, cell.seed)), kept.cells.get((cell.key, cell.seed))) for cell in cells(suite)]
    for name, lines in ((CELLS, told), (ACCURACY, accuracy), (DIFFERENCES, compared)):
        write_lines(out / name, lines)
    users.write(out, [one for several in by_user.values() for one in several])
    here, measured_at_all = len(found), sum(line["state"] == MEASURED for line in told)
    return [
        f"{measured_at_all} of {len(told)} cells are measured: {here} in {folder}, {measured_at_all - here} before",
        *(f"dropped, measured in a form that the suite does not have: {name}" for name in kept.outdated),
    ]


def at_hand(folder: Path, suite: tuple[Group, ...], keys: Container[str] | None = None) -> dict[str, list[Measured]]:
    """Return what complete runs of a folder hold, by cell key, seeds ascending.

    Args:
        folder: Where the runs are.
        suite: What is looked for.
        keys: Of the cells that are read; None is all.

    Raises:
        ChordsimError: A damaged run.
    """
    by_cell: dict[str, list[Measured]] = {}
    for (key, _), where in sorted(filled(complete_runs(folder), suite).items(), key=lambda item: item[0][1]):
        if keys is None or key in keys:
            by_cell.setdefault(key, []).append(measure(*where))
    return by_cell


def _cell_line(cell: Cell, measured: Measured | None, kept: Line | None) -> Line:
    line = {
        "group": cell.group.name,
        "label": cell.label,
        "method": cell.method,
        "seed": str(cell.seed),
        "state": MISSING,
        "command": cell.command,
        "scenario": cell.scenario_digest,
        "run": "",
        "ledger_sha256": "",
    }
    if measured:
        hashed = measured.run.manifest.get("ledger_sha256") or ""
        return {**line, "state": MEASURED, "run": measured.run.path.name, "ledger_sha256": hashed}
    return {**line, **{name: kept[name] for name in ("state", "run", "ledger_sha256")}} if kept else line


def _accuracy_lines(mine: list[Measured]) -> list[Line]:
    """Return a line per seed, and one over all seeds."""
    lines = [_accuracy_line([one], str(one.cell.seed)) for one in mine]
    return [_written(line) for line in (*lines, _accuracy_line(mine, ALL_SEEDS))] if mine else []


def _written(line: Mapping[str, Any]) -> Line:
    return {name: text(value) for name, value in line.items()}


def _accuracy_line(mine: list[Measured], seed: str) -> dict[str, Any]:
    first = mine[0]
    backbone, data = first.run.scenario.backbone, first.run.scenario.data
    line: dict[str, Any] = {
        "group": first.cell.group.name,
        "label": first.cell.label,
        "method": first.cell.method,
        "data": data.source,
        "ranking": first.run.scenario.protocol.ranking,
        "backbone": backbone.kind,
        "width": _width(first),
        "max_len": backbone.max_len,
        "rounds": first.run.scenario.rounds.count,
        "counted": STRANGERS if first.cell.group.strangers else EVERYBODY,
        "seed": seed,
        "seeds": " ".join(str(one.cell.seed) for one in mine),
    }
    same_users = users.same_data([Users.of(one) for one in mine])
    for name in METRICS:
        by_seed = [users.means([values[name] for values in one.rounds]) for one in mine]
        found = estimate_over_seeds(by_seed, users.BOOTSTRAP_SEED, same_users=same_users)
        line["users"], line[name] = found.users, found.mean
        if name == users.METRIC:
            line |= users.interval(found)
    # The last round's target is each user's last item: what leave-one-out figures are about.
    for name in ("hr_5", "ndcg_5", "hr_10", "ndcg_10"):
        line[f"{name}_last"] = _mean(float(np.nanmean(one.rounds[-1][name])) for one in mine)
    for name in first.means:
        line[name] = _mean(one.means[name] for one in mine)
    for count in SESSIONS:
        line[f"bytes_after_{count}"] = _mean(one.sessions.after(count) for one in mine)
    line["bootstrap_bytes"] = _mean(one.sessions.first for one in mine)
    line["validation_ndcg_10"] = _mean(one.training.validation for one in mine)
    line["train_steps"] = _mean(one.training.steps for one in mine)
    line["train_s"] = _mean(one.training.seconds for one in mine)
    line["settled_steps"] = _mean(one.training.settled_steps for one in mine)
    line["settled_s"] = _mean(one.training.settled_seconds for one in mine)
    return line


def _width(measured: Measured) -> int:
    backbone = measured.run.scenario.backbone
    return backbone.ffn_dim if backbone.kind == "sasrec" else backbone.dim


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean, None where a value is not known."""
    kept = list(values)
    known = [value for value in kept if value is not None and not math.isnan(value)]
    return sum(known) / len(known) if known and len(known) == len(kept) else None


def _corrected(lines: list[Line]) -> list[Line]:
    """Return a family's lines with Holm's correction; one that is not measured counts with p = 1."""
    corrected = holm([float(line["p"] or 1) for line in lines])
    return [{**line, "p_holm": text(p) if line["p"] else ""} for line, p in zip(lines, corrected, strict=True)]


def _difference_lines(family: str, pairs: Sequence[tuple[str, str]], by_cell: Mapping[str, list[Users]]) -> list[Line]:
    """Return a line per comparison, without Holm's correction."""
    joined = {" | ".join(pair): _sides(pair, by_cell) for pair in pairs}
    own_users = {" | ".join(pair) for pair in pairs if not users.same_data(by_cell.get(cells_of(pair[0])[0], []))}
    made = paired_over_seeds({name: list(seeds.values()) for name, seeds in joined.items()}, users.BOOTSTRAP_SEED, own_users=own_users)
    out = []
    for own, other in pairs:
        seeds, difference = joined[f"{own} | {other}"], made[f"{own} | {other}"]
        apart = difference.by_seed if len(seeds) > 1 else (difference.mean or 0.0,) * len(seeds)
        by_seed = dict(zip(seeds, apart, strict=True))
        own_mean, other_mean = (_level(list(seeds.values()), side, f"{own} | {other}" not in own_users) for side in (0, 1))
        low, high = difference.ci95 or (None, None)
        # A gain has no level that another gain could be a share of.
        level = other_mean if len(cells_of(other)) == 1 else None
        line = {
            "family": family,
            "own": own,
            "other": other,
            "metric": "ndcg_10",
            "seeds": " ".join(map(str, seeds)),
            "users": difference.users,
            "own_mean": own_mean,
            "other_mean": other_mean,
            "difference": difference.mean,
            "low": low,
            "high": high,
            "interval_over": (USERS_AND_SEEDS if len(seeds) > 1 else USERS) if difference.ci95 else "",
            "relative": _over(difference.mean, level),
            "relative_low": _over(low, level),
            "relative_high": _over(high, level),
            "p": difference.p if seeds else None,
            "p_holm": None,
            "family_size": len(pairs),
            "signs": "".join("+" if d > 0 else "-" if d < 0 else "0" for d in by_seed.values()),
            "by_seed": " ".join(f"{seed}:{d:+.5f}" for seed, d in by_seed.items()),
        }
        out.append(_written(line))
    return out


def _level(by_seed: Sequence[Pair], side: int, same_users: bool) -> float | None:
    """Return one side's mean over the users that both sides have."""
    if not by_seed:
        return None
    both = [np.where(np.isnan(pair[1 - side]), np.nan, pair[side]) for pair in by_seed]
    return estimate_over_seeds(both, users.BOOTSTRAP_SEED, same_users=same_users).mean


def _over(value: float | None, level: float | None) -> float | None:
    return None if value is None or not level else value / level


def _sides(pair: tuple[str, str], by_cell: Mapping[str, list[Users]]) -> dict[int, Pair]:
    """Return by seed each user's two values: of two cells, or of two differences between cells."""
    own, other = map(cells_of, pair)
    if len(own) == len(other) == 1:
        return users.joined(*(by_cell.get(key, []) for key in (*own, *other)))
    gains = [users.joined(*(by_cell.get(key, []) for key in side)) for side in (own, other)]
    apart = [{seed: first - second for seed, (first, second) in gain.items()} for gain in gains]
    return {seed: (gained, apart[1][seed]) for seed, gained in apart[0].items() if seed in apart[1]}
