"""One round before any method plays it: who was selected, on which phones, and what the fallback would show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim import evaluate
from chordsim.arrays import Bools, Floats, Ints
from chordsim.config.model import Scenario
from chordsim.kernels.choose import NATIVE
from chordsim.kernels.ranking import popular_ranks
from chordsim.methods import Batch
from chordsim.population.profile import Profiles
from chordsim.world import World

#: Users whose histories are looked at together, which bounds the memory that their items take.
_USERS = 8192


@dataclass(frozen=True)
class Scene:
    """The selected devices of a round, padded to whole chunks; M rows, of which the first `count` are real.

    Attributes:
        round: The round, from 1.
        count: Number of selected devices.
        ids: Device ids, [M]; ascending, or by user where `engine.share_equal` asks for it; padding repeats the last.
        users: User of each device, [M].
        profiles: Phones, [M].
        fallback_rank: Rank of each target in the popularity list, [M].
        chunk_size: Rows of one chunk.
        at_s: When the round begins, in seconds after midnight UTC of the first day.
        away: Who is not free then, [M].
    """

    round: int
    count: int
    ids: Ints
    users: Ints
    profiles: Profiles
    fallback_rank: Floats
    chunk_size: int
    at_s: float
    away: Bools

    @property
    def real(self) -> Bools:
        """Which rows are devices rather than padding, [M]."""
        return np.arange(self.ids.size) < self.count

    def chunk(self, number: int, active: Bools) -> Batch:
        """Return one chunk as a method's cloud half may see it: no budgets."""
        return self.batch(slice(number * self.chunk_size, (number + 1) * self.chunk_size), active)

    def batch(self, rows: slice, active: Bools) -> Batch:
        """Return some rows as a method's cloud half may see them."""
        return Batch(self.ids[rows], active[rows], self.round)

    @property
    def by_id(self) -> Ints:
        """Where the devices stand, in order of id, [count]."""
        return np.argsort(self.ids[: self.count], kind="stable")

    def cells(self, wanted: int) -> list[slice]:
        """Cut the rows into at most ``wanted`` cells of whole chunks, as even as they go."""
        chunks = self.ids.size // self.chunk_size
        edges = np.linspace(0, chunks, min(wanted, chunks) + 1).round().astype(int) * self.chunk_size
        return [slice(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def scene_of(world: World, round: int, chosen: Ints | None = None, at_s: float | None = None, *, by_user: bool = False) -> Scene:
    """Select the round's devices and look up their phones, users and fallback.

    Args:
        world: The scenario with its data.
        round: The round, from 1.
        chosen: Who is asked, ascending; None is the scenario's selection.
        at_s: When it begins; None is the scenario's schedule.
        by_user: Let phones of one user be neighbours, so that what they have in common is computed once.
    """
    chosen = world.population.select(round) if chosen is None else chosen
    if by_user:
        chosen = chosen[np.argsort(world.population.users(chosen), kind="stable")]
    size = world.chunk_size
    ids = np.concatenate([chosen, np.repeat(chosen[-1:], -chosen.size % size)])
    users = world.population.users(ids)
    at_s = begins_s(world.scenario, round) if at_s is None else at_s
    away = ~world.population.availability.free(ids, at_s)
    return Scene(round, chosen.size, ids, users, world.population.profiles(ids), fallback_ranks(world, users, round), size, at_s, away)


def fallback_ranks(world: World, users: Ints, round: int) -> Floats:
    """Return the rank of each user's target in the popularity list, [M]; found once per distinct user, block by block."""
    distinct, place = np.unique(users, return_inverse=True)
    rank = np.empty(distinct.size)
    for start in range(0, distinct.size, _USERS):
        some = distinct[start : start + _USERS]
        targets, protocol = world.split.targets(some, round), world.scenario.protocol
        if world.kernel == NATIVE and protocol.ranking != "candidates":
            found = popular_ranks(world.popularity, targets, world.split.spans(some, round), protocol)
        else:
            found = evaluate.fallback_ranks(world.popularity, targets, world.split.seen(some, round), protocol, world.candidates(some))
        rank[start : start + _USERS] = found
    return rank[place]


def begins_s(scenario: Scenario, round: int) -> float:
    """Return when a round begins, in seconds after midnight UTC of the first day."""
    return (scenario.clock.start_h + (round - 1) * scenario.clock.round_every_h) * 3600
