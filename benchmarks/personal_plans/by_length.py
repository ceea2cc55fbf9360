"""A gain by the length of users' histories: what older items give can come only to those who have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.personal_plans.declared import Experiment
from benchmarks.suites.agenda import Group
from benchmarks.suites.kept import Kept, covers
from benchmarks.suites.raw_tables import at_hand
from benchmarks.suites.sheets import CELLS, MEASURED, Line, read_lines, text, write_lines
from benchmarks.suites.users import BOOTSTRAP_SEED, Users, joined, same_data
from chordsim.arrays import Ints
from chordsim.data.load import load
from chordsim.errors import RunError
from chordsim.statistics.differences import paired_over_seeds

BY_LENGTH = "by_length.csv"
#: A user's items before the first target: above the one and at most the other, the last without an end.
BOUNDS = (0, 50, 100, 200, 400)


def write(runs: Path, out: Path, suite: tuple[Group, ...], experiments: Sequence[Experiment]) -> list[str]:
    """Write the table from complete runs and kept users; other pairs keep the lines that they have while their cells are measured.

    Returns:
        What is told of it, a line each.

    Raises:
        ChordsimError: A damaged run, or data that cannot be read or are not those that were played.
    """
    pairs = [(experiment, *pair) for experiment in experiments for pair in experiment.lengths]
    keys = {experiment.key(name) for experiment, *pair in pairs for name in pair}
    by_cell = Kept.read(out, suite).users_with(at_hand(runs, suite, keys))
    before = read_lines(out / BY_LENGTH) if (out / BY_LENGTH).exists() else []
    measured = {f"{line['group']}/{line['label']}" for line in read_lines(out / CELLS) if line["state"] == MEASURED}
    made: list[Line] = []
    for experiment, own, other in pairs:
        one, two = experiment.key(own), experiment.key(other)
        fresh = _lines(one, two, by_cell.get(one, []), by_cell.get(two, []))
        stood = [line for line in before if (line["own"], line["other"]) == (one, two) and {one, two} <= measured]
        made += fresh if fresh and all(covers(fresh[0], line) for line in stood) else stood
    write_lines(out / BY_LENGTH, made)
    return [f"{len({(line['own'], line['other']) for line in made})} of {len(pairs)} pairs are told by length of history"]


def _lines(own: str, other: str, mine: list[Users], theirs: list[Users]) -> list[Line]:
    """Return a line per length, none where no seed has both."""
    by_seed = joined(mine, theirs)
    if not by_seed:
        return []
    lengths = {one.cell.seed: _lengths(one) for one in mine if one.cell.seed in by_seed}
    out = []
    for low, high in zip(BOUNDS, (*BOUNDS[1:], None), strict=True):
        among = []
        for seed, (first, second) in by_seed.items():
            counted = (lengths[seed] > low) & (lengths[seed] <= (high or np.inf))
            counted = np.pad(counted, (0, max(first.size - counted.size, 0)))[: first.size]
            among.append((np.where(counted, first, np.nan), np.where(counted, second, np.nan)))
        found = paired_over_seeds({own: among}, BOOTSTRAP_SEED, own_users=() if same_data(mine) else (own,))[own]
        levels = [float(np.nanmean(np.concatenate([pair[side] for pair in among]))) if found.users else None for side in (0, 1)]
        ends = found.ci95 or (None, None)
        line = {"own": own, "other": other, "seeds": " ".join(map(str, by_seed)), "above": low, "to": high, "users": found.users}
        line |= {"own_mean": levels[0], "other_mean": levels[1], "difference": found.mean, "low": ends[0], "high": ends[1]}
        out.append({name: text(value) for name, value in line.items()})
    return out


def _lengths(one: Users) -> Ints:
    """Return how many items each user had before the first target, [users].

    Raises:
        RunError: The data at hand are not those that were played.
    """
    scenario = one.cell.group.resolved(one.cell.piece, one.cell.seed)
    log, split = load(scenario.data, scenario.rounds.count, scenario.seed)
    if split.digest() != one.data:
        raise RunError(f"{one.source}: played other data than {log.source.name} at hand")
    return np.asarray(log.lengths - scenario.rounds.count, np.int64)
