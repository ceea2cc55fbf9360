"""Lines of tables that were written before, of cells whose runs are not at hand: what another machine measured stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suites import users
from benchmarks.suites.agenda import Cell, Group, cells
from benchmarks.suites.runs import Measured
from benchmarks.suites.sheets import ACCURACY, ALL_SEEDS, CELLS, DIFFERENCES, MEASURED, USERS, Line, cells_of, read_lines, text
from benchmarks.suites.users import At, Users
from chordsim.errors import RunError

#: Columns of the accuracy table that say what a line is about; all others are means.
_ABOUT = ("group", "label", "method", "data", "ranking", "backbone", "width", "max_len", "rounds", "counted", "users")


@dataclass(frozen=True)
class Kept:
    """What stands in the tables and still holds: cells that the suite declares in the form that was measured.

    Attributes:
        cells: Lines of such cells, by key and seed.
        accuracy: Accuracy lines of these cells, by key, then by seed or `ALL_SEEDS`.
        differences: Measured comparisons that rest on such cells alone, by own and other.
        users: Their users' values, of those that were measured since they are kept.
        outdated: Cells that were measured in another form, or are not declared any more, in words.
    """

    cells: Mapping[At, Line]
    accuracy: Mapping[str, Mapping[str, Line]]
    differences: Mapping[tuple[str, str], Line]
    users: Mapping[At, Users]
    outdated: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, suite: tuple[Group, ...]) -> Kept:
        """Read the tables of a folder, where there are any.

        Raises:
            RunError: Users' values that are damaged, or of another run than the tables.
        """
        tables = [read_lines(folder / name) if (folder / name).exists() else [] for name in (CELLS, ACCURACY, DIFFERENCES)]
        declared = {(cell.key, cell.seed): cell for cell in cells(suite)}
        there = {(_key(line), int(line["seed"])): line for line in tables[0] if line["state"] == MEASURED}
        good = {at: line for at, line in there.items() if _is_of(line, declared.get(at))}
        outdated = tuple(f"{key}, seed {seed}" for key, seed in there if (key, seed) not in good)

        def rests(seeds: str, *keys: str) -> bool:
            return all((cell, int(seed)) in good for key in keys for cell in cells_of(key) for seed in seeds.split())

        accuracy: dict[str, dict[str, Line]] = {}
        for line in tables[1]:
            if rests(line["seeds"], _key(line)):
                accuracy.setdefault(_key(line), {})[line["seed"]] = _with_over(line, "ndcg_10_low")
        compared = {(line["own"], line["other"]): _with_over(line, "low") for line in tables[2] if line["seeds"]}
        return cls(
            good,
            accuracy,
            {at: line for at, line in compared.items() if rests(line["seeds"], *at)},
            users.read(folder, ((declared[at], line) for at, line in good.items())),
            outdated,
        )

    def users_with(self, at_hand: Mapping[str, Sequence[Measured]]) -> dict[str, list[Users]]:
        """Return what is known of cells' users, by key, seeds ascending; runs at hand come first."""
        known = {**self.users, **{(key, one.cell.seed): Users.of(one) for key, several in at_hand.items() for one in several}}
        out: dict[str, list[Users]] = {}
        for key, seed in sorted(known, key=lambda at: at[1]):
            out.setdefault(key, []).append(known[key, seed])
        return out

    def accuracy_with(self, key: str, made: Sequence[Line], by_user: Sequence[Users]) -> list[Line]:
        """Return a cell's accuracy lines, a line per seed and one over all.

        Args:
            key: The cell's.
            made: The same of runs at hand. They come first; a line over all seeds of which some runs are not at hand is the
                mean of its seeds, without an interval unless its users' values are known or the tables held one over just these.
            by_user: What is known of its users.

        Raises:
            RunError: Seeds of one cell with other users.
        """
        kept, fresh = self.accuracy.get(key, {}), {line["seed"]: line for line in made}
        if set(kept) <= set(fresh):
            return list(made)
        by_seed = {**kept, **fresh}
        seeds = sorted(set(by_seed) - {ALL_SEEDS}, key=int)
        lines, whole = [by_seed[seed] for seed in seeds], kept.get(ALL_SEEDS)
        same = all(fresh[seed]["ndcg_10"] == line["ndcg_10"] for seed, line in kept.items() if seed in fresh and seed != ALL_SEEDS)
        if whole and whole["seeds"].split() == seeds and same:
            return [*lines, whole]
        return [*lines, _over_seeds(key, lines, by_user)]

    def difference(self, made: Line) -> Line:
        """Return the line of a comparison that rests on more seeds, the one of runs at hand where they are equally many."""
        kept = self.differences.get((made["own"], made["other"]))
        if kept is None or covers(made, kept):
            return made
        return {**kept, **{name: made[name] for name in ("family", "family_size")}}


def covers(made: Line, stood: Line) -> bool:
    """Return whether a line rests on all seeds of the one that stood in its place."""
    return set(stood["seeds"].split()) <= set(made["seeds"].split())


def _key(line: Line) -> str:
    return f"{line['group']}/{line['label']}"


def _is_of(line: Line, cell: Cell | None) -> bool:
    return cell is not None and line["scenario"] == cell.scenario_digest


def _with_over(line: Line, low: str) -> Line:
    """Return a line that says what its interval is over: those that were written before this was said knew users alone."""
    return line if "interval_over" in line else {**line, "interval_over": USERS if line[low] else ""}


def _over_seeds(key: str, lines: Sequence[Line], by_user: Sequence[Users]) -> Line:
    """Return the mean over seeds: that of each user's means, as every seed has the same users."""
    if len(lines) == 1:
        return {**lines[0], "seed": ALL_SEEDS}
    names = [name for name in lines[0] if name not in (*_ABOUT, "seed", "seeds", "interval_over")]
    joined = {**lines[0], **{name: _mean(line.get(name, "") for line in lines) for name in names}, "seed": ALL_SEEDS}
    joined["seeds"] = " ".join(line["seed"] for line in lines)
    if [line["seed"] for line in lines] == [str(one.cell.seed) for one in by_user]:
        return {**joined, **{name: text(value) for name, value in users.score(by_user).items()}}
    if len({line["users"] for line in lines}) > 1:
        raise RunError(f"{key}: its seeds have different users and not all of its runs are at hand: play the others again")
    return {**joined, "ndcg_10_low": "", "ndcg_10_high": "", "interval_over": ""}


def _mean(values: Iterable[str]) -> str:
    """Return the mean, nothing where a value is not known."""
    given = list(values)
    return text(sum(map(float, given)) / len(given)) if all(given) else ""
