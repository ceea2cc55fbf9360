"""What a process looked up of a round's phones, kept while the round lasts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from threading import Lock

from chordsim.arrays import Ints
from chordsim.data.history import Spans
from chordsim.methods import Budgets, History
from chordsim.world import World


@dataclass(frozen=True)
class Known:
    """What a chunk's phones are and did, which is the same at each visit of a round and for each method: [D] each."""

    users: Ints
    budgets: Budgets
    history: History
    targets: Ints
    spans: Spans

    def of(self, rows: slice) -> Known:
        """Return what there is to know of some of them."""
        budgets = Budgets(*(getattr(self.budgets, field.name)[rows] for field in fields(Budgets)))
        history = History(self.history.items[rows], self.history.lengths[rows])
        spans = Spans(self.spans.items, self.spans.starts[rows], self.spans.ends[rows])
        return Known(self.users[rows], budgets, history, self.targets[rows], spans)


class Met:
    """What this process looked up of the chunks of a round, so that a second visit, or the next method, need not ask again."""

    #: Phones that are kept, some 700 bytes each.
    MOST = 32_768

    def __init__(self) -> None:
        self._held: dict[tuple[object, ...], Known] = {}
        self._turn: tuple[World | None, int] = None, 0
        self._rows, self._lock = 0, Lock()

    def known(self, world: World, round: int, ids: Ints, length: int) -> Known:
        """Return what there is to know of these phones, with histories of ``length`` items."""
        key = (length, ids.tobytes())
        with self._lock:
            if self._turn[0] is not world or self._turn[1] != round:
                self._held, self._turn, self._rows = {}, (world, round), 0
            found = self._held.get(key)
        if found is None:
            found = _looked_up(world, round, ids, length)
            with self._lock:
                if self._turn[0] is world and self._turn[1] == round and self._rows + ids.size <= self.MOST:
                    self._held[key], self._rows = found, self._rows + ids.size
        return found


def _looked_up(world: World, round: int, ids: Ints, length: int) -> Known:
    users, split = world.population.users(ids), world.split
    return Known(
        users,
        world.population.profiles(ids).budgets,
        split.history(users, round, length),
        split.targets(users, round),
        split.spans(users, round),
    )
