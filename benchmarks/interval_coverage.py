"""How often the 95 % interval over users and seeds holds the truth, in made-up worlds whose truth is known.

Run: python -m benchmarks.interval_coverage [--repetitions N] [--users N] [--seeds S ...]. In each repetition new users, and new seeds,
are drawn; values are like NDCG@10 over three rounds (few users with much skill, most values zero), or differences of them. Seeds
deviate by 0, 1 and 2 standard errors of one run's mean over users. Prints a table for the interval that chordsim gives and four for
what it does not: the same with the noise taken off the seeds' part whole, and not at all; one t with Satterthwaite's degrees of freedom;
and an interval over users alone. Exit code 1 if chordsim's own lies outside 92 to 98 % anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive
from chordsim import seeds
from chordsim.arrays import Floats
from chordsim.statistics.crossed import Part, margin, over_seeds, seed_variances

LEAST, MOST = 0.92, 0.98
SEEDS, DEVIATIONS, USERS, REPETITIONS = (3, 5), (0.0, 1.0, 2.0), 400, 2000
_ROUNDS = 3
_SKILL = (0.5, 4.0)  # of a beta distribution: one user in nine hits, most hardly ever
_GAINS = 1 / np.log2(np.arange(1, 11) + 1)
_MEAN = _SKILL[0] / sum(_SKILL) * float(_GAINS.mean())
Interval = Callable[[Sequence[Floats], bool], tuple[float, float]]


@dataclass(frozen=True)
class World:
    """What is drawn.

    Attributes:
        name: In words.
        kept: Share of a user's luck that stays from seed to seed; the rest is drawn anew.
        present: Share of the users that a seed plays, drawn for each.
        same_users: Whether all seeds have the same users.
        difference: Whether values are differences between two methods that are equal in truth.
    """

    name: str
    kept: float = 0.5
    present: float = 1.0
    same_users: bool = True
    difference: bool = False

    @property
    def truth(self) -> float:
        """The mean over all users and seeds that there could be."""
        return 0.0 if self.difference else _MEAN


WORLDS = (
    World("NDCG, luck kept over seeds", kept=1.0),
    World("NDCG, half of it kept"),
    World("NDCG, drawn anew", kept=0.0),
    World("difference of equal methods", kept=0.0, difference=True),
    World("NDCG, 60 % of users in a seed", present=0.6),
    World("NDCG, 15 % of users in a seed", present=0.15),
    World("difference, 30 % in a seed", present=0.3, difference=True),
    World("NDCG, each seed its own users", same_users=False),
)


def draw(world: World, count: int, deviation: float, users: int, rng: np.random.Generator) -> list[Floats]:
    """Return a value by user for each of `count` seeds, NaN where a seed does not play a user."""
    people = users if world.same_users else users * count
    pool = round(people / world.present)
    skill = rng.beta(*_SKILL, pool)
    values = _ndcg(world, count, skill, rng)
    if world.difference:
        values = values - _ndcg(world, count, skill, rng)
    error = float(values[0].std(ddof=1)) / np.sqrt(users)
    shift = deviation * error * rng.normal(size=(count, 1))
    values = values + shift if world.difference else values * (1 + shift / _MEAN)
    if world.same_users:
        return list(np.where(rng.random(values.shape) < world.present, values, np.nan))
    return [row[users * place : users * (place + 1)] for place, row in enumerate(values)]


def _ndcg(world: World, count: int, skill: Floats, rng: np.random.Generator) -> Floats:
    """Return means over rounds of what a target at a rank within ten is worth, [count, users]."""
    shape = (count, _ROUNDS, skill.size)
    old = rng.random(shape[1:]) < world.kept
    luck, rank = (np.where(old, rng.random(shape[1:]), rng.random(shape)) for _ in range(2))
    return np.asarray(np.where(luck < skill, _GAINS[(10 * rank).astype(np.int64)], 0.0).mean(1))


def ours(by_seed: Sequence[Floats], same_users: bool) -> tuple[float, float]:
    """Return the ends of chordsim's interval."""
    ends = over_seeds(by_seed, same_users=same_users).ci95
    assert ends is not None
    return ends


def with_noise_share(share: float) -> Interval:
    """Return the formula that takes another share of the noise off the seeds' part than chordsim's."""

    def formula(by_seed: Sequence[Floats], same_users: bool) -> tuple[float, float]:
        if not same_users:
            return ours(by_seed, same_users)
        table = _table(by_seed)
        values, (looks, noise) = np.nanmean(table, axis=0), seed_variances(table)
        of_users = Part(float(values.var(ddof=1)) / values.size, values.size - 1)
        half = margin((of_users, Part(max(0.0, looks - share * noise), len(table) - 1)), 0.05)
        return float(values.mean()) - half, float(values.mean()) + half

    return formula


def users_alone(by_seed: Sequence[Floats], same_users: bool) -> tuple[float, float]:
    """Return the ends of an interval that takes the seeds for the only ones that there are."""
    values = np.nanmean(_table(by_seed), axis=0) if same_users else np.concatenate(by_seed)
    half = float(ndtri(0.975)) * float(values.std(ddof=1)) / np.sqrt(values.size)
    return float(values.mean()) - half, float(values.mean()) + half


def satterthwaite(by_seed: Sequence[Floats], same_users: bool) -> tuple[float, float]:
    """Return the ends of the interval by one t with Satterthwaite's degrees of freedom (1946)."""
    if not same_users:
        return ours(by_seed, same_users)
    table = _table(by_seed)
    values, (looks, noise) = np.nanmean(table, axis=0), seed_variances(table)
    of_users = float(values.var(ddof=1)) / values.size
    variance = of_users + max(0.0, looks - noise)
    freedom = variance**2 / (of_users**2 / (values.size - 1) + looks**2 / (len(table) - 1))
    half = -float(stdtrit(freedom, 0.025)) * np.sqrt(variance)
    return float(values.mean()) - half, float(values.mean()) + half


def _table(by_seed: Sequence[Floats]) -> Floats:
    table = np.stack(by_seed)
    return table[:, ~np.isnan(table).all(axis=0)]


FORMULAS: dict[str, Interval] = {
    "users and seeds": ours,
    "users and seeds, noise taken off whole": with_noise_share(1.0),
    "users and seeds, noise not taken off": with_noise_share(0.0),
    "Satterthwaite's degrees of freedom": satterthwaite,
    "users alone": users_alone,
}


def coverage(
    world: World, count: int, deviation: float, repetitions: int, users: int = USERS, formulas: Iterable[Interval] = (ours,)
) -> list[float]:
    """Return for each formula the share of repetitions in which its interval holds the truth."""
    rng = seeds.generator(1, f"coverage.{world.name}.{count}.{deviation}")
    chosen = list(formulas)
    held = np.zeros(len(chosen))
    for _ in range(repetitions):
        by_seed = draw(world, count, deviation, users, rng)
        for place, formula in enumerate(chosen):
            low, high = formula(by_seed, world.same_users)
            held[place] += low <= world.truth <= high
    return [float(share) for share in held / repetitions]


def main(arguments: list[str]) -> int:
    """Simulate, print, and return 1 if chordsim's interval covers too seldom or too often."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--repetitions", type=positive, default=REPETITIONS)
    parser.add_argument("--users", type=positive, default=USERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    given = parser.parse_args(arguments)
    if min(given.seeds) < min(SEEDS) or given.users < 2:
        parser.error(f"an interval over seeds needs {min(SEEDS)} seeds and two users at least")
    cells = [(count, deviation) for count in given.seeds for deviation in DEVIATIONS]
    found = {(world, cell): coverage(world, *cell, given.repetitions, given.users, FORMULAS.values()) for world in WORLDS for cell in cells}
    for place, name in enumerate(FORMULAS):
        print(f"\n95 % interval: {name}; {given.repetitions:,} repetitions, {given.users:,} users in a seed\n")
        heads = [f"{count} seeds, {deviation:g} SE" for count, deviation in cells]
        print(f"| world | {' | '.join(heads)} |\n| --- | {' | '.join('---:' for _ in heads)} |")
        for world in WORLDS:
            print(f"| {world.name} | {' | '.join(f'{100 * found[world, cell][place]:.1f}' for cell in cells)} |")
    outside = sum(not LEAST <= shares[0] <= MOST for shares in found.values())
    print(f"\n{outside} of {len(found)} cells of the first table lie outside {LEAST:.0%} to {MOST:.0%}")
    return min(outside, 1)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
