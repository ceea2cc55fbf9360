"""A seeded generator of logs with taste groups, drift between them, popularity skew and noise.

Items are divided among taste groups. In a group, popularity falls like Zipf's law, and every item has a few
successors drawn by popularity: what a user of the group tends to choose next. A user starts in one group and
drifts to a neighbouring one now and then, so recent items tell more than old ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim import seeds
from chordsim.arrays import Bools, Floats, Ints
from chordsim.config.model import SyntheticConfig
from chordsim.data.interactions import Interactions, SourceInfo, digest_of
from chordsim.errors import DataError

SHORTEST = 5
#: Chance of each successor of an item.
_SUCCESSOR_CHANCES = np.array([0.5, 0.25, 0.15, 0.1])
#: A user does not choose what is among the last so many items, as far as a few new draws can avoid it.
_RECENT = 64
_REDRAWS = ("popular", "any of the group", "any of the group", "any of the group", "next group", "any")

Slots = npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Catalogue:
    """Items as slots: the slots of group g are ``borders[g]`` to ``borders[g + 1]``, most popular first.

    Attributes:
        borders: Shape [G + 1].
        cumulative: Group number plus cumulative popularity in the group, shape [items].
        successors: Slots that tend to follow each slot, shape [items, 4].
        item_ids: Item id of each slot, shape [items].
    """

    borders: Ints
    cumulative: Floats
    successors: Slots
    item_ids: Slots

    @classmethod
    def draw(cls, config: SyntheticConfig, rng: np.random.Generator) -> _Catalogue:
        borders = np.arange(config.groups + 1, dtype=np.int64) * config.items // config.groups
        sizes = np.diff(borders)
        group = np.repeat(np.arange(config.groups), sizes)
        rank = np.arange(config.items) - borders[group]
        weights = (rank + 1.0) ** -config.popularity_skew
        running = np.cumsum(weights)
        before = np.concatenate([[0.0], running])[borders]
        share = (running - before[group]) / (before[group + 1] - before[group])
        bare = cls(borders, group + share, np.zeros((0, 0), np.int32), np.zeros(0, np.int32))
        successors = np.stack([bare.popular(group, rng) for _ in _SUCCESSOR_CHANCES], axis=1)
        return cls(borders, group + share, successors, (rng.permutation(config.items) + 1).astype(np.int32))

    def popular(self, groups: Ints, rng: np.random.Generator) -> Slots:
        """Draw one slot for each group of [n], by popularity."""
        slots = np.searchsorted(self.cumulative, groups + rng.random(groups.size), side="right")
        # The last cumulative share can round to just below 1.
        return np.minimum(slots, self.borders[groups + 1] - 1).astype(np.int32)


def generate(config: SyntheticConfig, seed: int, min_length: int = SHORTEST) -> Interactions:
    """Generate a log; the order is known, time stamps are not.

    Args:
        config: Sizes and tastes.
        seed: The scenario's seed.
        min_length: Shorter users are drawn out to this length, so that every user can be split.

    Raises:
        DataError: More groups than items.
    """
    if config.groups > config.items:
        raise DataError(f"data.synthetic.groups = {config.groups} is more than data.synthetic.items = {config.items}")
    rng = seeds.generator(seed, "data.synthetic")
    catalogue = _Catalogue.draw(config, rng)
    lengths = _lengths(config, rng, max(SHORTEST, min_length))
    items, offsets = _play(config, catalogue, lengths, rng)
    source = SourceInfo("synthetic", "", "synthetic", digest_of(config.items, items, offsets), items.size, items.size)
    names = np.arange(max(config.users, config.items) + 1).astype(np.str_)
    item_tokens = np.concatenate([np.array([""]), names[1 : config.items + 1]])
    return Interactions(items, offsets, None, names[1 : config.users + 1], item_tokens, source)


def _lengths(config: SyntheticConfig, rng: np.random.Generator, shortest: int) -> Ints:
    """Draw lengths: the shortest plus a skewed (gamma) rest, so that the mean is ``mean_length``."""
    rest = max(config.mean_length - SHORTEST, 0.0)
    drawn = SHORTEST + np.floor(rng.gamma(2.0, rest / 2.0, config.users) + rng.random(config.users)).astype(np.int64)
    return np.maximum(drawn if rest else np.full(config.users, SHORTEST), shortest)


def _play(config: SyntheticConfig, catalogue: _Catalogue, lengths: Ints, rng: np.random.Generator) -> tuple[Slots, Ints]:
    """Play all users at once, one step at a time; users stand longest first, so those still playing lead."""
    order = np.argsort(-lengths, kind="stable")
    playing = np.searchsorted(-lengths[order], -np.arange(int(lengths.max())), side="left")
    groups = rng.integers(0, config.groups, config.users)
    offsets = np.zeros(config.users + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    begins = offsets[:-1][order]
    items = np.zeros(int(offsets[-1]), np.int32)
    recent: list[Slots] = []
    for step, count in enumerate(playing.tolist()):
        groups = groups[:count]
        recent = [slots[:count] for slots in recent[-_RECENT:]]
        groups = _drift(config, groups, rng) if step else groups
        slots = _choose(config, catalogue, groups, recent[-1] if recent else None, rng)
        recent.append(_avoid_repeats(config, catalogue, groups, slots, recent, rng))
        items[begins[:count] + step] = catalogue.item_ids[recent[-1]]
    return items, offsets


def _drift(config: SyntheticConfig, groups: Ints, rng: np.random.Generator) -> Ints:
    """Move some users to the group on their left or right; groups stand in a ring."""
    draw = rng.random(groups.size)
    step = np.where(draw < config.drift / 2, 1, np.where(draw < config.drift, -1, 0))
    return (groups + step) % config.groups


def _choose(config: SyntheticConfig, catalogue: _Catalogue, groups: Ints, last: Slots | None, rng: np.random.Generator) -> Slots:
    """Draw the next slot: a successor of the last one if that is of the user's group, else a popular one; or noise."""
    noisy = rng.random(groups.size) < config.noise
    where = np.where(noisy, rng.integers(0, config.groups, groups.size), groups)
    slots = catalogue.popular(where, rng)
    if last is None:
        return slots
    which = np.searchsorted(np.cumsum(_SUCCESSOR_CHANCES)[:-1], rng.random(groups.size), side="right")
    at_home = (last >= catalogue.borders[groups]) & (last < catalogue.borders[groups + 1])
    return np.where(at_home & ~noisy, catalogue.successors[last, which], slots)


def _avoid_repeats(
    config: SyntheticConfig, catalogue: _Catalogue, groups: Ints, slots: Slots, recent: list[Slots], rng: np.random.Generator
) -> Slots:
    """Draw anew what was chosen lately: from the group, then from the next group, at last from the whole catalogue."""
    chosen = slots.copy()
    doubtful = np.flatnonzero(_is_recent(chosen, recent))
    for attempt in _REDRAWS:
        if not doubtful.size:
            break
        home = groups[doubtful]
        if attempt == "popular":
            draw = catalogue.popular(home, rng)
        elif attempt == "any of the group":
            draw = rng.integers(catalogue.borders[home], catalogue.borders[home + 1]).astype(np.int32)
        elif attempt == "next group":
            draw = catalogue.popular((home + 1) % config.groups, rng)
        else:
            draw = rng.integers(0, config.items, doubtful.size).astype(np.int32)
        chosen[doubtful] = draw
        doubtful = doubtful[_is_recent(draw, [past[doubtful] for past in recent])]
    return chosen


def _is_recent(slots: Slots, recent: list[Slots]) -> Bools:
    found = np.zeros(slots.size, np.bool_)
    for past in recent:
        found |= past == slots
    return found
